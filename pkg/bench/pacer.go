package bench

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// settle is how long after the end of a run at a fixed rate requests that
	// are due are still sent.
	settle = time.Second
	// coarse is how late a timer may fire without anybody being late: what is
	// due is due when the timer says so. More than that counts.
	coarse = 2 * time.Millisecond
)

// pacer says when requests are due.
type pacer interface {
	// next waits until a request is due and returns the moment it was, which
	// may have passed; false when there is no other.
	next() (time.Time, bool)
}

// closedLoop lets every connection go on as soon as it can.
type closedLoop struct {
	ctx  context.Context //nolint:containedctx // it is the life of the run
	end  time.Time
	left *atomic.Int64 // requests; nil for as many as fit into the time
}

func (p closedLoop) next() (time.Time, bool) {
	now := time.Now()
	ok := now.Before(p.end) && p.ctx.Err() == nil
	return now, ok && (p.left == nil || p.left.Add(-1) >= 0)
}

// openLoop lets requests become due at a fixed rate, whether there is a
// connection that is free for them or not.
type openLoop struct {
	start    time.Time
	interval float64 // nanoseconds
	duration time.Duration
	due      chan time.Time
}

func newOpenLoop(start time.Time, o Options) *openLoop {
	return &openLoop{start: start, interval: o.interval(), duration: o.Duration, due: make(chan time.Time)}
}

func (p *openLoop) next() (time.Time, bool) {
	due, ok := <-p.due
	return due, ok
}

// run hands out what becomes due until the run is over or ctx ends, and calls
// unsent for every request that was due and that nobody was free to send.
func (p *openLoop) run(ctx context.Context, unsent func(waited time.Duration)) {
	over, cancel := context.WithDeadline(ctx, p.start.Add(p.duration+settle))
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	var fired time.Duration // when a timer fired last, since start
	k := int64(0)
	at := func() time.Duration { return time.Duration(float64(k) * p.interval) }
	for ; at() < p.duration; k++ {
		at := at()
		if wait := at - time.Since(p.start); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-over.Done():
			}
			fired = time.Since(p.start)
		}
		due := at
		if fired > at && fired-at <= coarse {
			due = fired
		}
		select {
		case p.due <- p.start.Add(due):
			continue
		case <-over.Done():
		}
		break
	}
	close(p.due)
	for now := time.Since(p.start); at() < p.duration && at() <= now; k++ {
		unsent(now - at())
	}
}
