package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Why the spool does not take events: the values of the metric label.
const (
	reasonFull     = "full"
	reasonPoisoned = "poisoned"
	reasonSlow     = "slow"
	reasonDisk     = "disk"
	reasonGivenUp  = "given_up"
	reasonClosed   = "closed"
)

// refusal is why the disk takes nothing: a bounded reason, a sentence for a
// person, and how long it may last.
type refusal struct {
	reason, detail string
	retryAfter     time.Duration
	err            error
}

func (r *refusal) Error() string {
	if r.err != nil {
		return r.detail + ": " + r.err.Error()
	}
	return r.detail
}

func (r *refusal) Unwrap() error { return r.err }

func full(format string, args ...any) *refusal {
	return &refusal{reasonFull, "the spool is full", 5 * time.Second, fmt.Errorf(format, args...)}
}

func poisoned(err error) *refusal {
	return &refusal{reasonPoisoned, "the spool's disk has failed", 30 * time.Second, err}
}

func slow(format string, args ...any) *refusal {
	return &refusal{reasonSlow, "the spool's disk does not keep up", time.Second, fmt.Errorf(format, args...)}
}

func givenUp(err error) *refusal {
	return &refusal{reasonGivenUp, "the request was given up", time.Second, err}
}

func closed() *refusal {
	return &refusal{reasonClosed, "the spool is closed", time.Second, nil}
}

// unavailable makes the answer to a request that neither the stream nor the
// disk took. streamErr is nil when the stream was not asked.
func unavailable(r *refusal, streamErr error) *event.Error {
	err := error(r)
	if streamErr != nil {
		err = fmt.Errorf("%w, and the stream failed: %w", r, streamErr)
	}
	return &event.Error{
		Kind: event.KindUnavailable, Detail: "events can be taken neither by the stream nor by the spool",
		RetryAfter: r.retryAfter, Err: err,
	}
}

// errCallerDeadline is a time-out that the caller set, shorter than the spool's.
var errCallerDeadline = errors.New("the caller did not wait for the stream")

// timedOut says whether err means that no answer came in time.
func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// aboutContent says whether err is for what the events are, so that trying
// again, or somewhere else, changes nothing.
func aboutContent(err error) bool {
	switch event.KindOf(err) {
	case event.KindInvalid, event.KindTooLarge, event.KindRejected:
		return true
	}
	return false
}
