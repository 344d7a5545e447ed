package spool

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

// longestPause bounds what the drainer leaves to requests between two batches.
const longestPause = 100 * time.Millisecond

// Run publishes what is on disk, oldest first, until ctx ends or the spool is
// closed. Without it the spool only fills, and the stream is not returned to
// after it has failed. Events are removed once the stream has taken them; when
// the process ends in between they are published again.
func (s *Spool) Run(ctx context.Context) {
	select {
	case s.draining <- struct{}{}:
	case <-ctx.Done():
		return
	case <-s.life.Done():
		return
	}
	defer func() { <-s.draining }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()

	d := &drainer{Spool: s, most: s.cfg.DrainBatch, size: s.cfg.DrainBatch}
	for ctx.Err() == nil {
		d.step(ctx)
	}
}

// drainer is what Run remembers from batch to batch.
type drainer struct {
	*Spool
	// size is how many events the stream is given at once: fewer after a
	// time-out, more again after a success, at most so many.
	size, most int
	// slow is set while the stream answers, but too late for requests: it
	// is drained to while they go to the disk.
	slow bool
	// single counts the events left of a batch that was refused for what one
	// of them is.
	single int
	busy   bool // there was something to drain
}

// step publishes one batch, or waits for there to be one.
func (d *drainer) step(ctx context.Context) {
	ok, err := d.reader.fill(d.most)
	switch {
	case err != nil:
		d.log.Warn("cannot read the spool, trying again", "dir", d.cfg.Dir, "error", err)
		d.wait(ctx, d.cfg.ProbeInterval)
		return
	case !ok:
		if d.busy {
			d.busy = false
			d.log.Info("the spool is drained")
		}
		select {
		case <-ctx.Done():
		case <-d.journal.arrived:
		}
		return
	}
	d.busy = true

	probe := d.breaker.probe()
	if !probe && !d.slow && d.breaker.state() != breakerClosed {
		d.wait(ctx, d.breaker.untilProbe())
		return
	}
	n := min(d.size, len(d.reader.pending))
	if probe || d.single > 0 {
		n = 1 // a copy of each may end up on the stream every time
	}
	d.publish(ctx, n, probe)
}

// publish gives the stream the first n pending events.
func (d *drainer) publish(ctx context.Context, n int, probe bool) {
	events := make([]event.Event, n) // its own: the call may outlast us
	for i := range events {
		events[i] = d.reader.pending[i].event
	}
	ticket, _ := d.breaker.allow()
	before := d.requests.Load()
	start := time.Now()
	err := d.give(ctx, d.cfg.DrainTimeout, events)
	took := time.Since(start)

	answered := err == nil || aboutContent(err)
	d.slow = answered && took > d.cfg.Deadline && d.breaker.state() != breakerClosed
	switch {
	case probe:
		d.breaker.probed(answered && !d.slow)
	case !answered && ctx.Err() == nil:
		d.breaker.failed(ticket, err)
	}
	switch {
	case err == nil:
		fault.Point(fault.SpoolDrain)
		d.reader.release(n)
		d.metrics.drained.Add(float64(n))
		d.size = min(d.size*2, d.most)
		d.single = max(d.single-n, 0)
		if d.requests.Load() != before {
			d.wait(ctx, min(took, longestPause))
		}
	case ctx.Err() != nil:
	case aboutContent(err) && n > 1:
		d.single = n
	case aboutContent(err):
		d.reader.refuse(err)
		d.single = max(d.single-1, 0)
	default:
		if timedOut(err) && !probe {
			d.size = max(n/2, 1)
		}
		if d.breaker.state() == breakerClosed {
			d.wait(ctx, d.cfg.ProbeInterval)
		}
	}
}

// wait returns after the given time or when ctx ends.
func (d *drainer) wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
