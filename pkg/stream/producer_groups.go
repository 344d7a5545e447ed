package stream

import (
	"context"
	"errors"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

const (
	// groupCheck is how often the groups are made sure of once they exist:
	// the longest that events wait without a group after Redis lost it.
	groupCheck = 5 * time.Second
	// failureAge is how long a failure to publish keeps the process from
	// being ready. Who is not ready is not asked to publish, so it cannot be
	// for ever.
	failureAge = 10 * time.Second
)

// errNotReady is the answer before the groups exist.
var errNotReady = errors.New("the consumer group has not been made sure of yet")

// publishFailure is the latest error of publishing, and when it was.
type publishFailure struct {
	err error
	at  time.Time
}

// Prepare makes the groups exist, and the stream with them. Once it has
// succeeded, events may be published.
func (p *Producer) Prepare(ctx context.Context) error {
	for _, g := range p.groups {
		if err := g.EnsureGroup(ctx); err != nil {
			return err
		}
	}
	if !p.ready.Swap(true) {
		p.p.conn.log.Info("the stream is ready", "stream", p.p.key)
	}
	return nil
}

// Run keeps the groups in existence until ctx ends: it prepares them, trying
// again until that succeeds, and then looks after them every few seconds.
func (p *Producer) Run(ctx context.Context) {
	pauses := retry.New()
	for {
		attempt, cancel := context.WithTimeout(ctx, groupCheck)
		err := p.Prepare(attempt)
		cancel()
		wait := groupCheck
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = pauses.Next()
			p.p.conn.log.Warn("the stream is not ready, trying again", "stream", p.p.key, "error", err, "wait", wait)
		default:
			pauses.Reset()
		}
		if retry.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// Check says whether events can be published, by what became of the latest.
func (p *Producer) Check(context.Context) error {
	if !p.ready.Load() {
		return event.Unavailable("the consumer group does not exist yet", nil)
	}
	if f := p.failure.Load(); f != nil && time.Since(f.at) < failureAge {
		return f.err
	}
	return nil
}
