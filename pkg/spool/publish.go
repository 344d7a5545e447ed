package spool

import (
	"context"
	"errors"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Publish gives events to the stream, and puts them on disk when the stream
// does not take them within Config.Deadline or is known not to. When it returns
// nil, every event is on the stream or synced to disk. After an error none,
// some or all may be.
//
// It returns within Config.Deadline and Config.CommitTimeout together, or when
// ctx ends, whatever the stream and the disk do. An error of the stream's for
// what an event is comes back as it is; any other is an [event.Error] of
// KindUnavailable. The caller must not change events afterwards.
func (s *Spool) Publish(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if s.closed.Load() {
		return s.refuse(events, closed(), nil)
	}
	// A request that does not wait for the stream has more time for the disk.
	patience := s.cfg.Deadline + s.cfg.CommitTimeout
	streamErr := error(nil)
	if ticket, ok := s.breaker.allow(); ok {
		err := s.tryStream(ctx, ticket, events)
		if err == nil || aboutContent(err) {
			return err
		}
		if ctx.Err() != nil {
			return s.refuse(events, givenUp(ctx.Err()), err)
		}
		streamErr = err
		patience = s.cfg.CommitTimeout
	}
	start := time.Now()
	refused := s.journal.append(ctx, patience, events)
	if refused == nil {
		return nil
	}
	// Nothing is lost by trying a stream that has failed, if it is time to,
	// there is time for it and it was not asked just now.
	if streamErr == nil && ctx.Err() == nil && time.Since(start) < s.cfg.CommitTimeout && s.breaker.probe() {
		err := s.give(ctx, s.cfg.Deadline, events)
		s.breaker.probed(err == nil || aboutContent(err))
		if err == nil || aboutContent(err) {
			return err
		}
		streamErr = err
	}
	return s.refuse(events, refused, streamErr)
}

// tryStream gives events to the stream and the outcome to the breaker.
func (s *Spool) tryStream(ctx context.Context, ticket uint64, events []event.Event) error {
	s.requests.Add(1)
	err := s.give(ctx, s.cfg.Deadline, events)
	switch {
	case err == nil, aboutContent(err):
		s.breaker.succeeded(ticket)
	case errors.Is(ctx.Err(), context.Canceled):
		// It says nothing about the stream.
	case ctx.Err() != nil:
		// The caller had less time than the stream is given: no verdict of
		// the first such time-out alone.
		s.breaker.failed(ticket, errCallerDeadline)
	default:
		s.breaker.failed(ticket, err)
	}
	return err
}

func (s *Spool) refuse(events []event.Event, refused *refusal, streamErr error) error {
	s.metrics.refused.WithLabelValues(refused.reason).Add(float64(len(events)))
	return unavailable(refused, streamErr)
}
