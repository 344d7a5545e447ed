package persist

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// inFlight is the event ids that are being inserted. A producer that repeats an
// event gets it onto the stream twice, and two batches that insert it at once
// would make the second fail on the primary key, whole, and be logged by the
// database. So the second waits, and finds a duplicate. The zero value is empty.
type inFlight struct {
	mu  sync.Mutex
	ids map[uuid.UUID]chan struct{}
}

// reserve waits until none of ids is reserved and reserves them all; release
// ends that. Ids may repeat. Whoever waits has reserved nothing, so none wait
// for each other.
func (f *inFlight) reserve(ctx context.Context, ids []uuid.UUID) (release func(), err error) {
	for {
		busy := f.tryReserve(ids)
		if busy == nil {
			return func() { f.release(ids) }, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryReserve reserves ids, or returns a channel that is closed when whoever
// holds one of them releases it.
func (f *inFlight) tryReserve(ids []uuid.UUID) (busy <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		if done, found := f.ids[id]; found {
			return done
		}
	}
	if f.ids == nil {
		f.ids = map[uuid.UUID]chan struct{}{}
	}
	done := make(chan struct{})
	for _, id := range ids {
		f.ids[id] = done
	}
	return nil
}

// release must be given at least one id.
func (f *inFlight) release(ids []uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.ids[ids[0]])
	for _, id := range ids {
		delete(f.ids, id)
	}
}
