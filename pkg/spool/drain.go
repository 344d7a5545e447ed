package spool

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

// maxYield bounds what the drainer leaves to requests between two batches.
const maxYield = 100 * time.Millisecond

// Run publishes what is on disk, oldest first, until ctx ends or the spool is
// closed. Without it the spool only fills, and the stream is not returned to
// after it has failed. Events are removed once the stream has taken them; when
// the process ends in between they are published again.
func (s *Spool) Run(ctx context.Context) {
	select {
	case s.running <- struct{}{}:
	case <-ctx.Done():
		return
	case <-s.life.Done():
		return
	}
	defer func() { <-s.running }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	for ctx.Err() == nil {
		s.drainer.step(ctx)
	}
}

// drainer publishes the events of a journal. It is for one goroutine at a time.
//
// Each step it loads a batch, or waits for there to be one; decides by its
// [drainMode] whether and how much to publish; publishes; and acts on the
// [outcome].
type drainer struct {
	*Spool
	reader *journal.Reader
	batch  []spooled // loaded and not published
	size   batchSize
	// late is set while the stream answers, but too late for requests.
	late bool
	// draining is set from the first batch until nothing is left.
	draining bool
}

// spooled is an event read from the journal.
type spooled struct {
	event event.Event
	seq   uint64
}

func newDrainer(s *Spool) *drainer {
	return &drainer{
		Spool: s, reader: s.journal.Reader(),
		size: batchSize{events: s.cfg.DrainBatch, most: s.cfg.DrainBatch},
	}
}

// drainMode is how the drainer treats the stream.
type drainMode uint8

const (
	// drainFollow: the breaker is closed, requests go to the stream and so do
	// batches.
	drainFollow drainMode = iota
	// drainProbe: the breaker is open and a probe is due. One event finds out
	// whether the stream is back; only one, because a copy of each may end up
	// on the stream with every attempt.
	drainProbe
	// drainLate: the breaker is open because the stream is too slow for
	// requests. It still takes batches.
	drainLate
	// drainWait: the breaker is open and the next probe is not due.
	drainWait
)

// mode returns the mode for the next batch. A probe that it starts must be
// finished.
func (d *drainer) mode() drainMode {
	switch {
	case d.breaker.probe():
		return drainProbe
	case d.breaker.state() == breakerClosed:
		return drainFollow
	case d.late:
		return drainLate
	}
	return drainWait
}

// outcome is what became of a batch.
type outcome uint8

const (
	outcomePublished outcome = iota
	outcomeLate              // published, later than a request would have waited
	outcomeTimeout           // not known to be published
	outcomeFailed            // the same, and the answer was an error
	outcomeStopped           // the drainer was stopped meanwhile
)

// step publishes one batch, or waits for there to be one.
func (d *drainer) step(ctx context.Context) {
	if err := d.load(); err != nil {
		d.log.Warn("cannot read the spool, trying again", "dir", d.cfg.Dir, "error", err)
		_ = retry.Sleep(ctx, d.cfg.ProbeInterval)
		return
	}
	if len(d.batch) == 0 {
		d.idle(ctx)
		return
	}
	d.draining = true
	switch mode := d.mode(); mode {
	case drainWait:
		_ = retry.Sleep(ctx, d.breaker.untilProbe())
	case drainProbe:
		d.publishBatch(ctx, mode, 1)
	case drainFollow, drainLate:
		d.publishBatch(ctx, mode, min(d.size.events, len(d.batch)))
	}
}

// idle waits until something may have been appended.
func (d *drainer) idle(ctx context.Context) {
	if d.draining {
		d.draining = false
		d.log.Info("the spool is drained")
	}
	select {
	case <-ctx.Done():
	case <-d.journal.Committed():
	}
}

// load reads a batch, unless there is one. What is no event is quarantined.
func (d *drainer) load() error {
	for len(d.batch) == 0 {
		records, err := d.reader.Read(d.size.most)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, rec := range records {
			e, err := decodeEvent(rec.Payload)
			if err != nil {
				d.reader.Quarantine(rec, err)
				continue
			}
			d.batch = append(d.batch, spooled{e, rec.Seq})
		}
	}
	return nil
}

// publishBatch publishes the first n events of the batch and acts on what
// becomes of them.
func (d *drainer) publishBatch(ctx context.Context, mode drainMode, n int) {
	events := make([]event.Event, n) // its own: the call may outlast us
	for i := range events {
		events[i] = d.batch[i].event
	}
	ticket, _ := d.breaker.allow()
	requests := d.requests.Load()
	start := time.Now()
	err := d.publish(ctx, d.cfg.DrainTimeout, events)
	took := time.Since(start)

	result := d.judge(ctx, err, took)
	d.late = result == outcomeLate
	switch {
	case mode == drainProbe:
		d.breaker.probed(result == outcomePublished)
	case result == outcomeTimeout, result == outcomeFailed:
		d.breaker.failed(ticket, err)
	}
	switch result {
	case outcomePublished, outcomeLate:
		fault.Point(fault.SpoolDrain)
		d.release(n)
		d.size.grow()
		if d.requests.Load() != requests {
			_ = retry.Sleep(ctx, min(took, maxYield)) // to those beside us
		}
	case outcomeTimeout:
		if mode != drainProbe {
			d.size.shrink(n)
		}
		d.pause(ctx)
	case outcomeFailed:
		d.pause(ctx)
	case outcomeStopped:
	}
}

// judge says what became of a batch that was published with err after a time.
func (d *drainer) judge(ctx context.Context, err error, took time.Duration) outcome {
	switch {
	case err == nil && took > d.cfg.Deadline && d.breaker.state() != breakerClosed:
		return outcomeLate
	case err == nil:
		return outcomePublished
	case ctx.Err() != nil:
		return outcomeStopped
	case isTimeout(err):
		return outcomeTimeout
	}
	return outcomeFailed
}

// release removes the first n events of the batch from the disk.
func (d *drainer) release(n int) {
	d.reader.Release(d.batch[n-1].seq)
	if d.batch = d.batch[n:]; len(d.batch) == 0 {
		d.batch = nil
	}
	d.metrics.drained.Add(float64(n))
}

// pause waits after a failure that has not opened the breaker. An open one says
// by itself when to try again.
func (d *drainer) pause(ctx context.Context) {
	if d.breaker.state() == breakerClosed {
		_ = retry.Sleep(ctx, d.cfg.ProbeInterval)
	}
}

// batchSize is how many events are published at once: half as many after a
// time-out, twice as many after a success.
type batchSize struct{ events, most int }

func (s *batchSize) grow() { s.events = min(s.events*2, s.most) }

func (s *batchSize) shrink(published int) { s.events = max(published/2, 1) }
