package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Punctual marks a Publisher that returns as soon as its context ends, whatever
// it waits for. A spool calls it directly; any other Publisher it calls in a
// goroutine of its own, so as to leave it when it overstays, which costs a
// request about a microsecond more. A Publisher that is not as punctual as that
// holds up the requests that wait for it, for as long as it likes.
func Punctual(next Publisher) Publisher { return punctual{next} }

type punctual struct{ Publisher }

// idleWorkers is how many goroutines a guard keeps for the next calls.
const idleWorkers = 256

var errTooManyCalls = errors.New("too many calls are under way")

// guard calls a Publisher and returns in time even when the Publisher does not.
// A call that is given up goes on in a goroutine of its own until the Publisher
// returns; at most so many calls are under way.
type guard struct {
	next     Publisher
	punctual bool
	most     int32
	calls    atomic.Int32
	// jobs hands a call to a goroutine that has nothing to do, or nil to end
	// it: starting one each time costs more, in growing its stack above all.
	jobs   chan *call
	idle   atomic.Int32
	closed atomic.Bool
}

func newGuard(next Publisher, most int32) *guard {
	_, ok := next.(punctual)
	return &guard{next: next, punctual: ok, most: most, jobs: make(chan *call)}
}

// close ends the idle goroutines. Calls after it still work.
func (g *guard) close() {
	g.closed.Store(true)
	for g.idle.Load() > 0 {
		select {
		case g.jobs <- nil:
		case <-time.After(time.Millisecond): // it saw closed, or got a call
		}
	}
}

// publish calls the Publisher and returns its answer, or an error that wraps
// os.ErrDeadlineExceeded or context.DeadlineExceeded after timeout, or ctx's
// own when it ends first.
func (g *guard) publish(ctx context.Context, timeout time.Duration, events []event.Event) error {
	if g.calls.Add(1) > g.most {
		g.calls.Add(-1)
		return errTooManyCalls
	}
	if g.punctual {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return g.run(ctx, events)
	}
	timer := borrowTimer(timeout)
	defer returnTimer(timer)
	c := &call{
		Context: ctx, deadline: time.Now().Add(timeout), events: events,
		gone: make(chan struct{}), answer: make(chan error, 1),
	}
	select {
	case g.jobs <- c:
	default:
		go g.work(c)
	}
	select {
	case err := <-c.answer:
		return err
	case <-timer.C:
		c.abandon(fmt.Errorf("no answer for %s: %w", timeout, os.ErrDeadlineExceeded))
	case <-ctx.Done():
		c.abandon(ctx.Err())
	}
	select {
	case err := <-c.answer: // just in time
		return err
	default:
		return c.err
	}
}

// work runs calls, the given one first.
func (g *guard) work(c *call) {
	for c != nil {
		c.answer <- g.run(c, c.events)
		if g.idle.Add(1) > idleWorkers || g.closed.Load() {
			g.idle.Add(-1)
			return
		}
		c = <-g.jobs
		g.idle.Add(-1)
	}
}

// run turns a panic into an error: nobody above would catch it here.
func (g *guard) run(ctx context.Context, events []event.Event) (err error) {
	defer func() {
		g.calls.Add(-1)
		if p := recover(); p != nil {
			err = fmt.Errorf("publish panicked: %v", p)
		}
	}()
	return g.next.Publish(ctx, events)
}

// call is one call of the Publisher, and the context it is made with: the
// caller's, with a deadline. It costs less than one from package context,
// because the caller keeps a timer anyway.
type call struct {
	context.Context
	deadline time.Time
	events   []event.Event
	answer   chan error // buffered: nobody may be waiting for it
	gone     chan struct{}
	err      error // set before gone is closed
}

// abandon ends the call's context.
func (c *call) abandon(err error) {
	c.err = err
	close(c.gone)
}

// Deadline implements context.Context.
func (c *call) Deadline() (time.Time, bool) {
	if d, ok := c.Context.Deadline(); ok && d.Before(c.deadline) {
		return d, true
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *call) Done() <-chan struct{} { return c.gone }

// Err implements context.Context.
func (c *call) Err() error {
	select {
	case <-c.gone:
	default:
		return nil
	}
	if timedOut(c.err) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}

var timers sync.Pool

func borrowTimer(d time.Duration) *time.Timer {
	if t, ok := timers.Get().(*time.Timer); ok {
		t.Reset(d)
		return t
	}
	return time.NewTimer(d)
}

func returnTimer(t *time.Timer) {
	t.Stop()
	timers.Put(t)
}
