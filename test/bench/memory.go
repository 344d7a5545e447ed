package main

import (
	"context"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/sample"
	"github.com/eventpulse/eventpulse/test/process"
)

func memory(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, e.Events)
	if err != nil {
		return nil, err
	}
	serve := Figure{Name: "serve, saturated", Unit: "MiB at most", Goal: atMost(48)}
	work := Figure{Name: "work, draining", Unit: "MiB at most", Goal: atMost(64)}

	return func(ctx context.Context, r *Round) error {
		if err := t.withStream(everySecond, func() error { return t.idle(ctx, r) }); err != nil {
			return err
		}
		singles, err := e.postSingles(ctx, everySecond)
		if err != nil {
			return err
		}
		batches, err := e.postBatches(ctx, everySecond)
		if err != nil {
			return err
		}
		d, err := t.drainFull(ctx, "", everySecond)
		if err != nil {
			return err
		}
		r.Note(serve, mebibytes(max(singles.peak, batches.peak)))
		r.Note(work, mebibytes(d.peak))
		return nil
	}, nil
}

// idle starts serve and work and leaves them alone.
func (t *table) idle(ctx context.Context, r *Round) error {
	serve, err := t.env.Serve(ctx, nil)
	if err != nil {
		return err
	}
	work, err := t.env.Work(ctx, nil)
	if err != nil {
		return err
	}
	roles := []struct {
		name  string
		app   *env.App
		meter env.Meter
	}{{name: "serve", app: serve}, {name: "work", app: work}}
	for _, c := range roles {
		r.Note(Figure{Name: c.name + ", start to ready", Unit: "ms", Goal: atMost(200)}, millis(c.app.Ready))
	}
	// What the start itself leaves behind is not what is asked for.
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	for i, c := range roles {
		if roles[i].meter, err = t.env.Meter(c.app.PID()); err != nil {
			return err
		}
	}
	begin := time.Now()
	if err := pause(ctx, 2*t.setup.span()); err != nil {
		return err
	}
	for _, c := range roles {
		used, err := c.meter.Used()
		if err != nil {
			return err
		}
		held, err := process.MemoryOf(c.app.PID())
		if err != nil {
			return err
		}
		r.Note(Figure{Name: c.name + ", idle", Unit: "% of a CPU", Goal: atMost(1)}, 100*used.Seconds()/time.Since(begin).Seconds())
		r.Note(Figure{Name: c.name + ", idle memory", Unit: "MiB", Goal: atMost(25)}, mebibytes(held.Now))
		if err := c.app.End(); err != nil {
			return fmt.Errorf("end %s: %w", c.name, err)
		}
	}
	return nil
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// pause waits for d, or for the end of ctx, which is an error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
