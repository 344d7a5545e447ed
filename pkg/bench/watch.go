package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	// sampleEvery is how often an accepted event is watched on its way.
	sampleEvery = 10 * time.Millisecond
	// watchedAtOnce bounds what is asked for at once: the oldest.
	watchedAtOnce = 256
)

// sampled is an accepted event that is waited for.
type sampled struct {
	id uuid.UUID
	at time.Time // of the answer
}

// watcher measures the time from an event's answer to its being visible in the
// database, on a sample: one event every sampleEvery.
type watcher struct {
	db    Database
	every time.Duration // between two looks
	next  atomic.Int64  // when the next sample is due, in Unix nanoseconds

	mu      sync.Mutex
	waiting []sampled

	visible, within *latencies // how long it took; how much less it may have been
}

func newWatcher(db Database, every time.Duration) *watcher {
	return &watcher{db: db, every: every, visible: newLatencies(), within: newLatencies()}
}

// offer takes an accepted event as a sample when one is due. It is safe for
// concurrent use, and cheap.
func (w *watcher) offer(id uuid.UUID, at time.Time) {
	now := at.UnixNano()
	next := w.next.Load()
	if now < next || !w.next.CompareAndSwap(next, now+int64(sampleEvery)) {
		return
	}
	w.mu.Lock()
	w.waiting = append(w.waiting, sampled{id, at})
	w.mu.Unlock()
}

// run looks for samples until loaded is closed and all have been seen, or ctx
// ends.
func (w *watcher) run(ctx context.Context, loaded <-chan struct{}) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	var before time.Time // the last look began
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		over := false
		select {
		case <-loaded:
			over = true
		default:
		}
		began := time.Now()
		left := w.look(ctx, before)
		if over && left == 0 {
			return
		}
		before = began
	}
}

// look asks once for the oldest samples, and returns how many are left.
func (w *watcher) look(ctx context.Context, before time.Time) int {
	w.mu.Lock()
	oldest := slices.Clone(w.waiting[:min(len(w.waiting), watchedAtOnce)])
	left := len(w.waiting)
	w.mu.Unlock()
	if left == 0 {
		return 0
	}
	wanted := make([]uuid.UUID, len(oldest))
	for i, s := range oldest {
		wanted[i] = s.id
	}
	found, err := w.db.Find(ctx, wanted)
	if err != nil {
		return left // a database that is away shows when all is checked
	}
	now := time.Now()
	seen := make(map[uuid.UUID]bool, len(found))
	for _, e := range found {
		seen[e.ID] = true
	}
	for _, s := range oldest {
		if seen[s.id] {
			w.visible.add(now.Sub(s.at))
			if s.at.After(before) {
				w.within.add(now.Sub(s.at))
			} else {
				w.within.add(now.Sub(before))
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.DeleteFunc(w.waiting, func(s sampled) bool { return seen[s.id] })
	return len(w.waiting)
}

// result returns what was measured. It is called after run.
func (w *watcher) result() Visibility {
	return Visibility{
		Samples: w.visible.count(),
		Unseen:  int64(len(w.waiting)),
		Within:  millis(w.within.at(99)),
		Latency: percentiles(w.visible),
	}
}
