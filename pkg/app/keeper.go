package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// groupCheck is how often the group is made sure of once it exists: the
// longest that events wait without a group after Redis forgot it.
const groupCheck = 5 * time.Second

// groupRetry is about the longest pause between attempts to make sure of it
// while Redis is away: a process that was started meanwhile publishes nothing
// before one succeeds.
const groupRetry = 2 * time.Second

// groupKeeper lets nothing be published before the consumer group exists: a
// group that starts at the stream's end would never see what was added before
// it. Afterwards it keeps the group in existence.
type groupKeeper struct {
	stream groupStream
	log    *slog.Logger
	exists atomic.Bool
	// refusal is the latest failure to publish, nil after a success.
	refusal atomic.Pointer[refusal]
}

// refusal is an error and when it was.
type refusal struct {
	err error
	at  time.Time
}

// refusalAge is how long a failure to publish keeps the process from being
// ready. Who is not ready is not asked to publish, so it cannot be for ever.
const refusalAge = 10 * time.Second

// groupStream is what the keeper needs of the stream.
type groupStream interface {
	EnsureGroup(ctx context.Context) error
	Publish(ctx context.Context, events []event.Event) error
	PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error
}

// errNotYet is the answer before the group exists.
var errNotYet = event.Unavailable("the event stream is not ready yet", nil)

// Publish passes events on once the group exists, and is unavailable before.
func (k *groupKeeper) Publish(ctx context.Context, events []event.Event) error {
	if !k.exists.Load() {
		return errNotYet
	}
	return k.noted(k.stream.Publish(ctx, events))
}

// PublishWithin is Publish within a time of the caller's.
func (k *groupKeeper) PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error {
	if !k.exists.Load() {
		return errNotYet
	}
	return k.noted(k.stream.PublishWithin(ctx, timeout, events))
}

// noted keeps in mind what became of an attempt to publish, and returns it.
func (k *groupKeeper) noted(err error) error {
	switch {
	case err != nil:
		k.refusal.Store(&refusal{err, time.Now()})
	case k.refusal.Load() != nil:
		k.refusal.Store(nil)
	}
	return err
}

// Check says whether events can be published, by what became of the latest.
func (k *groupKeeper) Check(context.Context) error {
	if !k.exists.Load() {
		return event.Unavailable("the consumer group does not exist yet", nil)
	}
	if r := k.refusal.Load(); r != nil && time.Since(r.at) < refusalAge {
		return r.err
	}
	return nil
}

// Run makes sure of the group until ctx ends.
func (k *groupKeeper) Run(ctx context.Context) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, groupRetry
	pause.Reset()
	for {
		attempt, cancel := context.WithTimeout(ctx, groupCheck)
		err := k.stream.EnsureGroup(attempt)
		cancel()
		wait := groupCheck
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = pause.NextBackOff()
			k.log.Warn("Redis is not ready, trying again", "error", err, "wait", wait)
		default:
			pause.Reset()
			if !k.exists.Swap(true) {
				k.log.Info("consumer group ready")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
