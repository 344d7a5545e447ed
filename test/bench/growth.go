package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/bench/sample"
)

// way is what events cost on their whole way.
type way struct {
	cpu   float64 // µs of serve, work, Redis and PostgreSQL per event
	drain float64 // events per second from the stream into the table
}

// through sends count events with such a payload, 0 for an ordinary one, through
// serve in requests of so many, and has
// one work drain them when they are all on the stream.
func (t *table) through(ctx context.Context, payload, count, together int) (w way, err error) {
	err = t.withStream(everySecond, func() error {
		if err := t.env.MakeGroup(ctx); err != nil {
			return err
		}
		serve, err := t.env.Serve(ctx, nil)
		if err != nil {
			return err
		}
		meter, err := t.env.Meter(serve.PID(), t.env.Redis.PID())
		if err != nil {
			return err
		}
		if err := send(ctx, serve, payload, count, together); err != nil {
			return err
		}
		w.cpu, err = costOf(meter, count)
		if err = errors.Join(err, serve.End()); err != nil {
			return err
		}
		d, err := t.drain(ctx, count, 1)
		w.cpu += d.work + d.postgres + d.redis
		w.drain = d.rate
		return err
	})
	return w, err
}

// send posts count events in requests of so many, as fast as they are taken.
func send(ctx context.Context, serve *env.App, payload, count, together int) error {
	o := loadOf(serve, together)
	o.Requests, o.EventBytes = count/together, eventBytes(payload)
	_, err := offer(ctx, o, nil)
	return err
}

// empty empties the table of events.
func (t *table) empty(ctx context.Context) error {
	return t.env.Exec(ctx, "TRUNCATE events")
}

func growthTable(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, 1)
	if err != nil {
		return nil, err
	}
	emptyURL := t.env.Database
	grownURL, err := t.env.Postgres.CreateDatabase(ctx, "grown")
	if err != nil {
		return nil, err
	}
	if err := t.grow(ctx, grownURL, e.Rows); err != nil {
		return nil, err
	}
	limit := "empty table"
	cost := Figure{Name: "cost, " + number(float64(e.Rows)) + " rows", Unit: "µs CPU/event", Baseline: limit, Goal: atMost(1.3)}
	rate := Figure{Name: "drain, " + number(float64(e.Rows)) + " rows", Unit: "events/s", Baseline: limit}
	count := e.Events / 10 * 4 / batchEvents * batchEvents

	return func(ctx context.Context, r *Round) error {
		var empty, grown way
		err := r.InTurn(
			func() error {
				if err := errors.Join(t.env.UseDatabase(ctx, emptyURL), t.empty(ctx)); err != nil {
					return err
				}
				empty, err = t.through(ctx, 0, count, batchEvents)
				return err
			},
			func() error {
				if err := t.env.UseDatabase(ctx, grownURL); err != nil {
					return err
				}
				grown, err = t.through(ctx, 0, count, batchEvents)
				return err
			},
		)
		if err != nil {
			return err
		}
		r.Compare(cost, grown.cpu, empty.cpu)
		r.Compare(rate, grown.drain, empty.drain)
		return nil
	}, nil
}

// grow fills the table in a database with rows older than any other event.
func (t *table) grow(ctx context.Context, url string, rows int) error {
	if err := t.env.UseDatabase(ctx, url); err != nil {
		return err
	}
	const together = 500_000
	for first := -rows; first < 0; first += together {
		path, err := t.file("old", first, min(together, -first), 1)
		if err != nil {
			return err
		}
		if _, err := measure.Copy(ctx, url, "events", path); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove rows: %w", err)
		}
	}
	// Or PostgreSQL would begin it by itself, in the middle of a round.
	return t.env.Exec(ctx, "VACUUM (ANALYZE) events", "CHECKPOINT")
}

func growthBatch(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, 1)
	if err != nil {
		return nil, err
	}
	// The same from one measurement to the next is 5% more at times.
	never := atMost(1.05)
	count := max(1, e.Events/10/500) * 500

	return func(ctx context.Context, r *Round) error {
		var before way
		last := 0
		for _, together := range []int{1, 10, 100, 500} {
			if err := t.empty(ctx); err != nil {
				return err
			}
			w, err := t.through(ctx, 0, count, together)
			if err != nil {
				return fmt.Errorf("%d events a request: %w", together, err)
			}
			f := Figure{Name: fmt.Sprintf("cost, %d a request", together), Unit: "µs CPU/event"}
			if last == 0 {
				r.Note(f, w.cpu)
			} else {
				f.Baseline, f.Goal = fmt.Sprintf("%d a request", last), never
				r.Compare(f, w.cpu, before.cpu)
			}
			before, last = w, together
		}
		return nil
	}, nil
}

func growthPayload(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, 1)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *Round) error {
		for _, size := range []int{100, 1 << 10, 16 << 10, 64 << 10} {
			if err := t.empty(ctx); err != nil {
				return err
			}
			const most = 256 << 20 // bytes of all payloads
			together := min(batchEvents, 2<<20/size)
			count := max(1, min(e.Events/10, most/size)/together) * together
			w, err := t.through(ctx, size, count, together)
			if err != nil {
				return fmt.Errorf("payloads of %d bytes: %w", size, err)
			}
			name := fmt.Sprintf("%g KiB", float64(size)/1024)
			if size < 1024 {
				name = fmt.Sprintf("%d B", size)
			}
			r.Note(Figure{Name: "cost, payload " + name, Unit: "µs CPU/event"}, w.cpu)
			r.Note(Figure{Name: "drain, payload " + name, Unit: "events/s"}, w.drain)
		}
		return nil
	}, nil
}

func growthWorkers(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, 1)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *Round) error {
		var one drained
		for workers := 1; workers <= 4; workers++ {
			if err := t.empty(ctx); err != nil {
				return err
			}
			var d drained
			err := t.withStream(everySecond, func() (err error) {
				if err = t.env.Fill(ctx, t.events, e.Events); err == nil {
					d, err = t.drain(ctx, e.Events, workers)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("%d works: %w", workers, err)
			}
			f := Figure{Name: fmt.Sprintf("drain, %d work", workers), Unit: "events/s"}
			if workers == 1 {
				one = d
				r.Note(f, d.rate)
				continue
			}
			f.Baseline = "1 work"
			r.Compare(f, d.rate, one.rate)
		}
		return nil
	}, nil
}
