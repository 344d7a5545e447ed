package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/bench/sample"
)

// The rates that are tried are shares of what \copy reaches in the same round.
// The first is a little above the goal, for what is stored at a rate is a
// little less than what is offered.
const (
	goalShare  = 0.35
	firstShare = goalShare + 0.01
	shareStep  = 0.05
	leastShare = 0.01
	mostShare  = 1.5
)

// endToEnd searches for the highest rate at which all that is taken in is
// stored as fast: with a load that waits for nothing but its answers, taking in
// outruns storing, and the backlog grows for as long as one cares to look.
func endToEnd(appendfsync string) func(context.Context, *Setup) (func(context.Context, *Round) error, error) {
	return func(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
		return endToEndWith(ctx, e, appendfsync)
	}
}

func endToEndWith(ctx context.Context, e *Setup, appendfsync string) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, e.Events)
	if err != nil {
		return nil, err
	}
	rate := Figure{Name: "stored, backlog flat", Unit: "events/s", Baseline: copyFrom, Goal: atLeast(goalShare)}
	answered := Figure{Name: "p99 of a batch", Unit: "ms"}
	backlog := Figure{Name: "backlog, mean", Unit: "events"}
	cpu := Figure{Name: "CPU of everything", Unit: "µs/event"}
	begin := firstShare

	return func(ctx context.Context, r *Round) error {
		limit, err := t.copy(ctx)
		if err != nil {
			return err
		}
		try := func(share float64, d time.Duration) (flow, error) {
			return t.flow(ctx, appendfsync, share*limit.rate, d)
		}
		share, err := search(begin, func(share float64) (bool, error) {
			f, err := try(share, 2*e.span())
			return f.sustained(), err
		})
		if err != nil {
			return err
		}
		// A short look can be lucky.
		var f flow
		for ; share > 0; share -= shareStep {
			if f, err = try(share, 6*e.span()); err != nil {
				return err
			}
			if f.sustained() {
				begin = share // of the search in the next round
				r.Compare(rate, f.stored, limit.rate)
				r.Note(answered, f.p99)
				r.Note(backlog, measure.Mean(f.backlogs))
				r.Note(cpu, f.cpu)
				return nil
			}
		}
		return errors.Join(fmt.Errorf("no rate keeps the backlog flat: at %s events/s it ended at %s events",
			number(f.offered), number(f.lastBacklog())), f.refused)
	}, nil
}

// search returns the highest share, in steps from begin, that holds, and the
// least of all where none does. Those above the first that does not hold are
// not tried.
func search(begin float64, holds func(share float64) (bool, error)) (float64, error) {
	share := begin
	ok, err := holds(share)
	if err != nil {
		return 0, err
	}
	if ok {
		for share+shareStep <= mostShare {
			if ok, err = holds(share + shareStep); err != nil || !ok {
				return share, err
			}
			share += shareStep
		}
		return share, nil
	}
	for share > leastShare {
		share = max(share-shareStep, leastShare)
		if ok, err = holds(share); err != nil || ok {
			return share, err
		}
	}
	return share, nil
}

// flow is what came of offering events at a rate to everything at once.
type flow struct {
	offered  float64 // events per second, as they should have been
	stored   float64 // events per second, until all were acknowledged
	kept     bool    // whether serve took them at their rate
	backlogs []float64
	p99      float64 // ms, of a batch
	cpu      float64 // µs of serve, work, Redis and PostgreSQL per event
	refused  error   // why serve did not take them all
}

// sustained reports whether it could have gone on for ever: the events were
// taken as they came, and between the third and the last quarter the backlog
// grew by no more than comes in a quarter of a second.
func (f flow) sustained() bool {
	quarter := len(f.backlogs) / 4
	if !f.kept || quarter == 0 {
		return false
	}
	last := f.backlogs[len(f.backlogs)-quarter:]
	third := f.backlogs[len(f.backlogs)-2*quarter : len(f.backlogs)-quarter]
	return measure.Mean(last)-measure.Mean(third) <= f.offered/4
}

func (f flow) lastBacklog() float64 {
	if len(f.backlogs) == 0 {
		return 0
	}
	return f.backlogs[len(f.backlogs)-1]
}

// flow offers events at a rate for a time, and sees to it that what was
// sustained is also stored.
func (t *table) flow(ctx context.Context, appendfsync string, rate float64, d time.Duration) (f flow, err error) {
	if err := t.env.Exec(ctx, "TRUNCATE "+copyTable, "TRUNCATE events", "CHECKPOINT"); err != nil {
		return f, err
	}
	err = t.withStream(appendfsync, func() error {
		f, err = t.flowThrough(ctx, rate, d)
		return err
	})
	return f, err
}

func (t *table) flowThrough(ctx context.Context, rate float64, d time.Duration) (f flow, err error) {
	f.offered = rate
	if err := t.env.MakeGroup(ctx); err != nil {
		return f, err
	}
	serve, err := t.env.Serve(ctx, nil)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, serve.End()) }()
	work, err := t.env.Work(ctx, nil)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, work.End()) }()
	meter, err := t.env.Meter(serve.PID(), work.PID(), t.env.Redis.PID(), t.env.Postgres.PID())
	if err != nil {
		return f, err
	}

	load := loadOf(serve, batchEvents)
	load.Rate, load.Duration = rate, d
	begin := time.Now()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- t.watchBacklog(watching, &f) }()
	sent, err := offer(ctx, load, nil)
	stop()
	if watchErr := <-watched; watchErr != nil || ctx.Err() != nil {
		return f, errors.Join(watchErr, ctx.Err())
	}
	if f.refused = err; err != nil {
		return f, nil
	}
	const late = 1.01
	f.kept = sent.Seconds <= late*d.Seconds()+0.5
	f.p99 = p99(sent)
	if !f.sustained() {
		return f, nil
	}
	const often = 50 * time.Millisecond
	end, err := t.env.Await(ctx, often, env.Progress.Done)
	if err != nil {
		return f, err
	}
	count := int(sent.Accepted)
	f.stored = float64(count) / end.At.Sub(begin).Seconds()
	if f.cpu, err = costOf(meter, count); err != nil {
		return f, err
	}
	return f, t.holds(ctx, count)
}

// watchBacklog notes the backlog until ctx ends.
func (t *table) watchBacklog(ctx context.Context, f *flow) error {
	const often = 100 * time.Millisecond
	_, err := t.env.Await(ctx, often, func(p env.Progress) bool {
		f.backlogs = append(f.backlogs, float64(p.Backlog()))
		return false
	})
	if ctx.Err() != nil {
		return nil // it was told to end
	}
	return err
}
