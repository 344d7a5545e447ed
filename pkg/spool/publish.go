package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

// Publish publishes events to the stream, and puts them on disk when the stream
// does not take them within Config.Deadline or is known not to. When it returns
// nil, every event is on the stream or synced to disk. After an error none,
// some or all may be.
//
// It returns within Config.Deadline and Config.CommitTimeout together, or when
// ctx ends, whatever the stream and the disk do. The error is an [event.Error]
// of KindUnavailable. The caller must not change events afterwards.
func (s *Spool) Publish(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if s.closed.Load() {
		return s.reject(events, journal.ErrClosed, nil)
	}
	if ticket, ok := s.breaker.allow(); ok {
		streamErr := s.tryStream(ctx, ticket, events)
		if streamErr == nil {
			return nil
		}
		diskErr := ctx.Err()
		if diskErr == nil {
			diskErr = s.spool(ctx, s.cfg.CommitTimeout, events)
		}
		if diskErr == nil {
			return nil
		}
		return s.reject(events, diskErr, streamErr)
	}
	return s.publishWhileOpen(ctx, events)
}

// publishWhileOpen puts events on disk while the breaker is open. When the disk
// does not take them either, the request is as good a probe as any.
func (s *Spool) publishWhileOpen(ctx context.Context, events []event.Event) error {
	start := time.Now()
	// A request that does not wait for the stream has more time for the disk.
	diskErr := s.spool(ctx, s.cfg.Deadline+s.cfg.CommitTimeout, events)
	if diskErr == nil {
		return nil
	}
	timeLeft := ctx.Err() == nil && time.Since(start) < s.cfg.CommitTimeout
	if !timeLeft || !s.breaker.probe() {
		return s.reject(events, diskErr, nil)
	}
	streamErr := s.publish(ctx, s.cfg.Deadline, events)
	s.breaker.probed(streamErr == nil)
	if streamErr == nil {
		return nil
	}
	return s.reject(events, diskErr, streamErr)
}

// tryStream publishes events to the stream and tells the breaker the outcome.
func (s *Spool) tryStream(ctx context.Context, ticket uint64, events []event.Event) error {
	s.requests.Add(1)
	err := s.publish(ctx, s.cfg.Deadline, events)
	switch {
	case err == nil:
		s.breaker.succeeded(ticket)
	case errors.Is(ctx.Err(), context.Canceled):
		// It says nothing about the stream.
	case ctx.Err() != nil:
		// The caller had less time than the stream is given: the first such
		// time-out alone does not open the breaker.
		s.breaker.failed(ticket, errCallerDeadline)
	default:
		s.breaker.failed(ticket, err)
	}
	return err
}

// publish publishes events to the stream. A panic becomes an error: the drainer
// has nobody above it, and one request is no reason to lose what the others
// wait for.
func (s *Spool) publish(ctx context.Context, timeout time.Duration, events []event.Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("publish panicked: %v", p)
		}
	}()
	return s.next.PublishWithin(ctx, timeout, events)
}

// spool puts events on disk.
func (s *Spool) spool(ctx context.Context, timeout time.Duration, events []event.Event) error {
	// Before any work that would be in vain.
	if err := s.journal.Err(); err != nil {
		return err
	}
	size := 0
	for i := range events {
		size += encodingOverhead + len(events[i].Payload) + len(events[i].Metadata)
	}
	var batch journal.Batch
	batch.Grow(len(events), size)
	accepted := time.Now()
	for i := range events {
		batch.Add(accepted, func(dst []byte) []byte { return appendEvent(dst, &events[i]) })
	}
	return s.journal.Append(ctx, timeout, &batch)
}

// reject counts events that nobody takes, and returns what the caller gets.
func (s *Spool) reject(events []event.Event, diskErr, streamErr error) error {
	reason, _ := classify(diskErr)
	s.metrics.rejected.WithLabelValues(reason).Add(float64(len(events)))
	return unavailable(diskErr, streamErr)
}
