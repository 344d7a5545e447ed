// Package retry says how long to wait before another attempt, and waits.
package retry

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The pauses of [New]. The first is short because most failures are a blip.
const (
	initialPause = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// Backoff is a growing sequence of pauses. It is not safe for concurrent use.
//
// Each pause is twice the one before, up to a longest, and then varied by up to
// half of it either way: clients that retry in step are an outage of their own
// (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
type Backoff struct {
	pauses backoff.ExponentialBackOff
}

// New returns a sequence that begins at 50 ms and settles at 2 s.
func New() *Backoff { return Between(initialPause, longestPause) }

// Between returns a sequence that begins at initial and settles at longest.
func Between(initial, longest time.Duration) *Backoff {
	b := &Backoff{pauses: backoff.ExponentialBackOff{
		InitialInterval:     initial,
		MaxInterval:         longest,
		Multiplier:          2,
		RandomizationFactor: 0.5,
	}}
	b.Reset()
	return b
}

// Next returns how long to wait before the next attempt.
func (b *Backoff) Next() time.Duration { return b.pauses.NextBackOff() }

// Reset begins the sequence again, after a success.
func (b *Backoff) Reset() { b.pauses.Reset() }

// Sleep waits until d has passed or ctx has ended, and returns the error of ctx
// if it was that.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
