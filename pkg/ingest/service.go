package ingest

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Publisher makes events durable. When Publish returns nil, every one of them
// is; when it returns an error, none, some or all may be. It bounds its own
// time, may be called concurrently, and may keep the slice.
type Publisher interface {
	Publish(ctx context.Context, events []event.Event) error
}

// Service accepts events. Its methods may be called concurrently.
type Service struct {
	publisher Publisher
	queue     *queue // nil unless the configuration is [AckNone]
	metrics   *metrics
}

// New returns a service that publishes with p. It must be closed.
func New(cfg Config, p Publisher, log *slog.Logger, reg prometheus.Registerer) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{publisher: p, metrics: newMetrics(reg)}
	if cfg.Ack == AckNone {
		s.queue = newQueue(cfg, p, log, s.metrics)
	}
	return s, nil
}

// Accept accepts all of events or none. When it returns nil they are durable,
// or with [AckNone] in the queue; they may be kept. An error is of the kind that
// the publisher gave it, or of [event.KindUnavailable] when the queue is full.
func (s *Service) Accept(ctx context.Context, events []event.Event) error {
	if err := s.publish(ctx, events); err != nil {
		s.Rejected(err, len(events))
		return err
	}
	s.metrics.accepted.Add(float64(len(events)))
	s.metrics.requestEvents.Observe(float64(len(events)))
	return nil
}

func (s *Service) publish(ctx context.Context, events []event.Event) error {
	if s.queue != nil {
		return s.queue.add(events)
	}
	if err := s.publisher.Publish(ctx, events); err != nil {
		return fmt.Errorf("publish %d events: %w", len(events), err)
	}
	return nil
}

// Rejected counts events that err keeps from being accepted: what a decoder
// could not read counts as one.
func (s *Service) Rejected(err error, events int) {
	s.metrics.rejected.WithLabelValues(event.KindOf(err).String()).Add(float64(events))
}

// Close stops accepting into the queue, if there is one, and waits until it
// is empty. When ctx ends first, what is left is lost, which is an error.
func (s *Service) Close(ctx context.Context) error {
	if s.queue == nil {
		return nil
	}
	return s.queue.close(ctx)
}
