package persist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// longStreak is how many events in a row, rejected alike, are no longer
	// taken for the events' own fault.
	longStreak = 100
	// samples is how many events of a batch are then tried before the batch is
	// left for later.
	samples = 8
)

// streak counts the events rejected in a row for one and the same reason, over
// all batches. A constraint that somebody has added to the table rejects all
// events, and would make dead letters of them as fast as they come. The zero
// value is empty.
type streak struct {
	mu           sync.Mutex
	reason, code string
	n            int
}

// rejected counts an event.
func (s *streak) rejected(reason, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason != reason || s.code != code {
		s.reason, s.code, s.n = reason, code, 0
	}
	s.n++
}

// stored ends the streak.
func (s *streak) stored() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n = 0
}

// err returns an error of event.KindUnavailable while the streak is long.
func (s *streak) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n < longStreak {
		return nil
	}
	reason := s.reason
	if s.code != "" {
		reason += ", SQLSTATE " + s.code
	}
	return &event.Error{
		Kind: event.KindUnavailable, Code: s.code,
		Detail: fmt.Sprintf("%d events in a row could not be stored for the same reason (%s), which looks like a fault of the database: "+
			"paused, with a dead letter now and then, until an event is stored", s.n, reason),
	}
}

// store stores items. While the streak is long it tries a sample of them first,
// and leaves all but one where none of the sample can be stored.
func (b *batch) store(ctx context.Context, items []item) error {
	if len(items) == 0 || b.streak.err() == nil {
		return b.insert(ctx, items)
	}
	var first *item
	var reason string
	var why error
	for i := 0; i < len(items); i += max(1, len(items)/samples) {
		inserted, err := b.once(ctx, items[i:i+1])
		switch {
		case err != nil && event.KindOf(err) != event.KindRejected:
			return err
		case err == nil && len(inserted.Dropped) == 0:
			if err := b.settle(items[i:i+1], inserted); err != nil {
				return err
			}
			return b.insert(ctx, slices.Delete(slices.Clone(items), i, i+1))
		case first != nil:
		case err == nil:
			first, reason, why = &items[i], event.ReasonDropped, errors.New(droppedMessage)
		default:
			first, reason, why = &items[i], event.ReasonRejected, err
		}
	}
	b.rejectNow(*first, reason, why)
	if err := b.streak.err(); err != nil {
		return err
	}
	return b.insert(ctx, items[1:]) // the reason is another by now
}
