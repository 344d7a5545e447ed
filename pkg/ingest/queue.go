package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// publishAtOnce is how many events the queue hands over together, unless
	// one request has more.
	publishAtOnce = 1000
	// fullRetryAfter is when a full queue is worth another try.
	fullRetryAfter = time.Second
	// logEvery is the least time between two log lines about failures.
	logEvery = time.Second
)

// queue publishes behind the back of whoever adds to it.
type queue struct {
	pub       Publisher
	log       *slog.Logger
	metrics   *metrics
	maxEvents int
	maxBytes  int64

	// ctx is the publisher's; cancel ends it when waiting is over.
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	changed sync.Cond // waiting or closed
	waiting []load
	held    load // the sum of all, those being published included
	closed  bool
}

// load is the events of one request, or a sum of them.
type load struct {
	list   []event.Event
	events int
	bytes  int64 // of the body that the events are parts of
}

func newQueue(cfg Config, pub Publisher, log *slog.Logger, m *metrics) *queue {
	q := &queue{
		pub:       pub,
		log:       log,
		metrics:   m,
		maxEvents: cfg.QueueEvents,
		maxBytes:  cfg.QueueBytes,
		done:      make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.changed.L = &q.mu
	go q.run()
	return q
}

// add queues events, or says that there is no room for them. One request
// larger than the whole queue finds room when there is no other.
func (q *queue) add(events []event.Event, bytes int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return event.Unavailable("the service is shutting down", nil)
	}
	n, b := q.held.events+len(events), q.held.bytes+bytes
	if q.held.events > 0 && (n > q.maxEvents || b > q.maxBytes) {
		return &event.Error{
			Kind:       event.KindUnavailable,
			Detail:     "too many events are waiting to be stored",
			RetryAfter: fullRetryAfter,
		}
	}
	q.waiting = append(q.waiting, load{events, len(events), bytes})
	q.hold(n, b)
	q.changed.Signal()
	return nil
}

// hold sets what is held. The caller has the lock.
func (q *queue) hold(events int, bytes int64) {
	q.held.events, q.held.bytes = events, bytes
	q.metrics.queued.Set(float64(events))
}

// run publishes until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.done)
	var logged time.Time
	failed := 0 // events, since then
	for {
		l, ok := q.take()
		if !ok {
			return
		}
		if err := q.pub.Publish(q.ctx, l.list); err != nil {
			q.metrics.lost.Add(float64(l.events))
			failed += l.events
			if now := time.Now(); now.Sub(logged) >= logEvery {
				q.log.Error("events accepted unconfirmed may be lost", "events", failed, "error", err)
				logged, failed = now, 0
			}
		}
		q.mu.Lock()
		q.hold(q.held.events-l.events, q.held.bytes-l.bytes)
		q.mu.Unlock()
	}
}

// take waits for events and returns those of the oldest requests together; ok
// is false when the queue is closed and empty.
func (q *queue) take() (l load, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closed {
			return load{}, false
		}
		q.changed.Wait()
	}
	n := 0
	for n < len(q.waiting) && (n == 0 || l.events+q.waiting[n].events <= publishAtOnce) {
		l.events += q.waiting[n].events
		l.bytes += q.waiting[n].bytes
		n++
	}
	l.list = q.waiting[0].list
	if n > 1 {
		l.list = make([]event.Event, 0, l.events)
		for _, one := range q.waiting[:n] {
			l.list = append(l.list, one.list...)
		}
	}
	// What is let go of here must not be kept alive by the slice.
	clear(q.waiting[:n])
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return l, true
}

// close ends the taking in and waits until everything is published or ctx
// ends.
func (q *queue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.changed.Broadcast()
	q.mu.Unlock()
	defer q.cancel()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	left := 0
	for _, l := range q.waiting {
		left += l.events
	}
	q.waiting = nil
	q.metrics.lost.Add(float64(left))
	return fmt.Errorf("empty the queue: %d events lost, %d in doubt: %w", left, q.held.events-left, context.Cause(ctx))
}
