package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

// Why the disk takes no events: the values of the label reason.
const (
	reasonFull      = "full"
	reasonFailed    = "failed"
	reasonSlow      = "slow"
	reasonDisk      = "disk"
	reasonAbandoned = "abandoned"
	reasonClosed    = "closed"
)

var reasons = []string{reasonFull, reasonFailed, reasonSlow, reasonDisk, reasonAbandoned, reasonClosed}

// classify returns the reason for an error of the journal's, and after how long
// another attempt makes sense.
func classify(err error) (reason string, retryAfter time.Duration) {
	switch {
	case errors.Is(err, journal.ErrFailed):
		return reasonFailed, 30 * time.Second
	case errors.Is(err, journal.ErrFull):
		return reasonFull, 5 * time.Second
	case errors.Is(err, journal.ErrSlow):
		return reasonSlow, time.Second
	case errors.Is(err, journal.ErrClosed):
		return reasonClosed, time.Second
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return reasonAbandoned, time.Second
	}
	return reasonDisk, time.Second
}

// unavailable makes the answer to a request that neither the stream nor the
// disk took. streamErr is nil when the stream was not asked.
func unavailable(diskErr, streamErr error) *event.Error {
	_, retryAfter := classify(diskErr)
	if streamErr != nil {
		diskErr = fmt.Errorf("%w, and the stream failed: %w", diskErr, streamErr)
	}
	return &event.Error{
		Kind: event.KindUnavailable, Detail: "events can be taken neither by the stream nor by the spool",
		RetryAfter: retryAfter, Err: diskErr,
	}
}

// errCallerDeadline is a time-out that the caller set, shorter than the spool's.
var errCallerDeadline = errors.New("the caller did not wait for the stream")

// isTimeout says whether err means that no answer came in time.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
