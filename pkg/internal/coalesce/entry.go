package coalesce

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// The states of an entry. Whoever moves it on from waiting owns its value: the
// server that dequeues it, or the caller that abandons it.
const (
	stateWaiting uint32 = iota
	stateDequeued
	stateAbandoned
)

// Entry is one value in a queue.
type Entry[T any] struct {
	// Value is what was enqueued.
	Value T
	// Size is what it counts for.
	Size Size

	state atomic.Uint32
	done  chan error // buffered, because nobody may be waiting; nil for Enqueue
}

// Complete answers the caller that waits for the entry, if there is one. It is
// called at most once and never blocks.
func (e *Entry[T]) Complete(err error) {
	if e.done != nil {
		e.done <- err
	}
}

// wait returns what the entry is completed with, or an error once timeout has
// passed or ctx has ended.
func (e *Entry[T]) wait(ctx context.Context, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var gaveUp error
	select {
	case err := <-e.done:
		return err
	case <-timer.C:
		gaveUp = fmt.Errorf("no answer for %s: %w", timeout, os.ErrDeadlineExceeded)
	case <-ctx.Done():
		gaveUp = ctx.Err()
	}
	if !e.abandon() {
		select {
		case err := <-e.done: // just in time
			return err
		default:
		}
	}
	return gaveUp
}

// abandon takes the entry out of the work to be done, and reports false when
// it is in a batch already. It lets go of the value at once: what stays in the
// queue until a server passes it is only the size.
func (e *Entry[T]) abandon() bool {
	if !e.state.CompareAndSwap(stateWaiting, stateAbandoned) {
		return false
	}
	var none T
	e.Value = none
	return true
}
