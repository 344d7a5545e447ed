package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
)

const (
	// publishEvents is how many events are published together, unless one
	// request has more.
	publishEvents = 1000
	// fullRetryAfter is when a full queue is worth another try.
	fullRetryAfter = time.Second
	// logEvery is the least time between two log lines about failures.
	logEvery = time.Second
	// eventBytes is what an event takes beside its text.
	eventBytes = 128
)

// queue publishes what nobody waits for.
type queue struct {
	publisher Publisher
	log       *slog.Logger
	metrics   *metrics
	waiting   *coalesce.Queue[[]event.Event]

	// ctx is the publisher's; cancel ends it when waiting is over.
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	// Of the one goroutine that publishes: when it last logged a failure, and
	// how many events failed since.
	logged time.Time
	failed int
}

func newQueue(cfg Config, p Publisher, log *slog.Logger, m *metrics) *queue {
	q := &queue{publisher: p, log: log, metrics: m, done: make(chan struct{})}
	q.waiting = coalesce.New[[]event.Event](coalesce.Config{
		Queue:       coalesce.Size{Items: cfg.QueueEvents, Bytes: int(cfg.QueueBytes)},
		Batch:       coalesce.Size{Items: publishEvents},
		CountServed: true,
		Observe:     func(items int) { m.queued.Add(float64(items)) },
	})
	q.ctx, q.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(q.done)
		q.waiting.Serve(q.publish)
	}()
	return q
}

// add queues events, or says that the queue is full. One request larger than
// the whole queue is queued when there is no other.
func (q *queue) add(events []event.Event) error {
	events, size := compact(events)
	err := q.waiting.Enqueue(events, coalesce.Size{Items: len(events), Bytes: size})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, coalesce.ErrFull):
		return &event.Error{
			Kind:       event.KindUnavailable,
			Detail:     "too many events are waiting to be stored",
			RetryAfter: fullRetryAfter,
		}
	default:
		return event.Unavailable("the service is shutting down", err)
	}
}

// compact returns events whose text is their own, and what they take. The text
// that they come with may be parts of a body much larger than they are, which
// nobody would count while they wait.
func compact(events []event.Event) ([]event.Event, int) {
	size := 0
	for _, e := range events {
		size += len(e.Type) + len(e.Source) + len(e.Payload) + len(e.Metadata)
	}
	buf := make([]byte, 0, size)
	for _, e := range events {
		buf = append(append(append(append(buf, e.Type...), e.Source...), e.Payload...), e.Metadata...)
	}
	text := string(buf)
	cut := func(n int) (part string) {
		part, text = text[:n], text[n:]
		return part
	}
	own := make([]event.Event, len(events))
	for i, e := range events {
		e.Type, e.Source = cut(len(e.Type)), cut(len(e.Source))
		e.Payload, e.Metadata = cut(len(e.Payload)), cut(len(e.Metadata))
		own[i] = e
	}
	return own, size + len(own)*eventBytes
}

// publish publishes the events of several requests together.
func (q *queue) publish(batch []*coalesce.Entry[[]event.Event]) {
	events := batch[0].Value
	if len(batch) > 1 {
		events = nil
		for _, entry := range batch {
			events = append(events, entry.Value...)
		}
	}
	err := q.publisher.Publish(q.ctx, events)
	if err == nil {
		return
	}
	q.metrics.lost.Add(float64(len(events)))
	q.failed += len(events)
	if now := time.Now(); now.Sub(q.logged) >= logEvery {
		q.log.Error("events accepted unconfirmed may be lost", "events", q.failed, "error", err)
		q.logged, q.failed = now, 0
	}
}

// close ends the queueing and waits until everything is published or ctx ends.
func (q *queue) close(ctx context.Context) error {
	q.waiting.Close()
	defer q.cancel()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
	}
	lost := q.waiting.Discard().Items
	q.metrics.lost.Add(float64(lost))
	return fmt.Errorf("empty the queue: %d events lost, %d in doubt: %w", lost, q.waiting.Held().Items, context.Cause(ctx))
}
