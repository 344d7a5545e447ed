package ingest

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// Publisher takes events for keeping. When Publish returns nil, every one of
// them is durable; when it returns an error, none, some or all may be. It
// bounds its own time, may be called concurrently, and may keep the slice.
type Publisher interface {
	Publish(ctx context.Context, events []event.Event) error
}

// Handler accepts request bodies. Its methods may be called concurrently.
type Handler struct {
	limits  event.Limits
	pub     Publisher
	queue   *queue // nil unless the configuration is [AckNone]
	metrics *metrics
}

// New returns a handler that hands its events to pub. It must be closed.
func New(cfg Config, pub Publisher, log *slog.Logger, reg prometheus.Registerer) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	h := &Handler{limits: cfg.Limits, pub: pub, metrics: m}
	if cfg.Ack == AckNone {
		h.queue = newQueue(cfg, pub, log, m)
	}
	return h, nil
}

// One accepts a body that is the JSON text of one event, and returns the
// event's id. An error is of the kind that [native.Parse] or the publisher gave
// it; one about a full queue is KindUnavailable.
func (h *Handler) One(ctx context.Context, body string) (uuid.UUID, error) {
	e, err := native.Parse(body, h.limits)
	if err == nil {
		err = h.handOver(ctx, []event.Event{e}, len(body))
	}
	if err != nil {
		h.metrics.refused(err, 1)
		return uuid.Nil, err
	}
	h.metrics.accepted.Inc()
	return e.ID, nil
}

// Batch accepts a body that is a JSON array of events, all of them or none,
// and returns their ids in order. Errors are as those of [Handler.One].
func (h *Handler) Batch(ctx context.Context, body string) ([]uuid.UUID, error) {
	events, err := native.ParseBatch(body, h.limits)
	if err == nil {
		err = h.handOver(ctx, events, len(body))
	}
	if err != nil {
		h.metrics.refused(err, max(1, len(events)))
		return nil, err
	}
	ids := make([]uuid.UUID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	h.metrics.accepted.Add(float64(len(ids)))
	h.metrics.batchSize.Observe(float64(len(ids)))
	return ids, nil
}

// Close stops accepting into the queue, if there is one, and waits until it
// is empty. When ctx ends first, what is left is lost, which is an error.
func (h *Handler) Close(ctx context.Context) error {
	if h.queue == nil {
		return nil
	}
	return h.queue.close(ctx)
}

// handOver gives events, read from size bytes of body, to whoever keeps them.
func (h *Handler) handOver(ctx context.Context, events []event.Event, size int) error {
	if h.queue != nil {
		return h.queue.add(events, int64(size))
	}
	if err := h.pub.Publish(ctx, events); err != nil {
		return fmt.Errorf("publish %d events: %w", len(events), err)
	}
	return nil
}
