package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/bench/sample"
	"github.com/eventpulse/eventpulse/test/process"
)

const (
	copyFrom = "\\copy"
	// copyTable is like the table of events, with all its indexes.
	copyTable = "copied"
)

// drain measures how fast one work empties a stream of a Redis with that
// appendfsync, a share of whose events is in the table already.
func drain(stored float64, appendfsync string) func(context.Context, *Setup) (func(context.Context, *Round) error, error) {
	rate := Figure{Name: "throughput", Unit: "events/s", Baseline: copyFrom, Goal: atLeast(0.70)}
	work := Figure{Name: "CPU of work", Unit: "µs/event"}
	postgres := Figure{Name: "CPU of PostgreSQL", Unit: "µs/event", Baseline: copyFrom}
	redis := Figure{Name: "CPU of Redis", Unit: "µs/event"}

	return func(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
		t, err := newTable(ctx, e, sample.Maker{}, e.Events)
		if err != nil {
			return nil, err
		}
		preload := ""
		if stored > 0 {
			step := int(1 / stored)
			if preload, err = t.file("stored", 0, e.Events/step, step); err != nil {
				return nil, err
			}
		}
		return func(ctx context.Context, r *Round) error {
			var own drained
			var limit copied
			err := r.InTurn(
				func() (err error) { limit, err = t.copy(ctx); return err },
				func() (err error) { own, err = t.drainFull(ctx, preload, appendfsync); return err },
			)
			if err != nil {
				return err
			}
			r.Compare(rate, own.rate, limit.rate)
			r.Note(work, own.work)
			r.Compare(postgres, own.postgres, limit.cpu)
			r.Note(redis, own.redis)
			return nil
		}, nil
	}
}

// table is a PostgreSQL with the table of events, another like it, and a file
// of events for it.
type table struct {
	setup  *Setup
	env    *env.Environment
	events sample.Maker
	count  int
	path   string // of the file
}

func newTable(ctx context.Context, e *Setup, events sample.Maker, count int) (*table, error) {
	r, err := e.Environment()
	if err != nil {
		return nil, err
	}
	if err := r.StartPostgres(ctx); err != nil {
		return nil, err
	}
	t := &table{setup: e, env: r, events: events, count: count}
	if t.path, err = t.file("events", 0, count, 1); err != nil {
		return nil, err
	}
	return t, r.Exec(ctx, "CREATE TABLE "+copyTable+" (LIKE events INCLUDING ALL)")
}

// file writes events as rows and returns its path.
func (t *table) file(name string, first, count, step int) (string, error) {
	path := filepath.Join(t.setup.Dir, name+".rows")
	f, err := os.Create(path)
	if err != nil {
		return "", fmt.Errorf("write rows: %w", err)
	}
	return path, errors.Join(t.events.WriteRows(f, first, count, step), f.Close())
}

// copied is what came of \copy.
type copied struct {
	rate float64 // rows per second
	cpu  float64 // µs of PostgreSQL per row
}

// copy copies the file into the other table, which is empty.
func (t *table) copy(ctx context.Context) (copied, error) {
	// The checkpoint makes room in the log for both sides alike.
	if err := t.env.Exec(ctx, "TRUNCATE "+copyTable, "TRUNCATE events", "CHECKPOINT"); err != nil {
		return copied{}, err
	}
	meter, err := t.env.Meter(t.env.Postgres.PID())
	if err != nil {
		return copied{}, err
	}
	took, err := measure.Copy(ctx, t.env.Database, copyTable, t.path)
	if err != nil {
		return copied{}, err
	}
	cpu, err := costOf(meter, t.count)
	return copied{rate: float64(t.count) / took.Seconds(), cpu: cpu}, err
}

// drained is what came of a drain.
type drained struct {
	rate                  float64 // events per second
	work, postgres, redis float64 // µs of processor time per event
	peak                  int64   // most memory that work held, in bytes
}

// drainFull drains a stream of all events into the table, which holds no more
// than the rows of a file, if there is one.
func (t *table) drainFull(ctx context.Context, preload, appendfsync string) (drained, error) {
	if err := t.env.Exec(ctx, "TRUNCATE "+copyTable, "TRUNCATE events"); err != nil {
		return drained{}, err
	}
	if preload != "" {
		if _, err := measure.Copy(ctx, t.env.Database, "events", preload); err != nil {
			return drained{}, err
		}
	}
	var d drained
	err := t.withStream(appendfsync, func() (err error) {
		if err = t.env.Fill(ctx, t.events, t.count); err != nil {
			return err
		}
		d, err = t.drain(ctx, t.count, 1)
		return err
	})
	if err != nil {
		return d, err
	}
	return d, t.holds(ctx, t.count)
}

// holds fails unless the table holds so many events.
func (t *table) holds(ctx context.Context, count int) error {
	var rows int
	if err := t.env.DB.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&rows); err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	if rows != count {
		return fmt.Errorf("the table has %d rows after %d events", rows, count)
	}
	return nil
}

// withStream runs f while the environment has a Redis that is empty at first.
func (t *table) withStream(appendfsync string, f func() error) error {
	if err := t.env.StartRedis(appendfsync); err != nil {
		return err
	}
	return errors.Join(f(), t.env.EndRedis())
}

// drain has so many work processes empty the stream of count events, and
// measures from their first read to the last acknowledgement.
func (t *table) drain(ctx context.Context, count, workers int) (drained, error) {
	if err := t.env.Exec(ctx, "CHECKPOINT"); err != nil {
		return drained{}, err
	}
	begins := make(chan begun, 1)
	go func() { begins <- t.begin(ctx) }()
	var pids []int
	var apps []*env.App
	var err error
	for i := range workers {
		var app *env.App
		if app, err = t.env.Work(ctx, map[string]string{"worker.consumer": fmt.Sprintf("work-%d", i+1)}); err != nil {
			break
		}
		apps, pids = append(apps, app), append(pids, app.PID())
	}
	start := <-begins
	if err = errors.Join(err, start.err); err != nil {
		return drained{}, err
	}
	const often = 50 * time.Millisecond
	end, err := t.env.Await(ctx, often, env.Progress.Done)
	if err != nil {
		return drained{}, err
	}
	d := drained{rate: float64(count) / end.At.Sub(start.at).Seconds()}
	used, err := process.CPU(pids...) // from their very beginning
	if err != nil {
		return d, err
	}
	d.work = float64(used.Microseconds()) / float64(count)
	if d.postgres, err = costOf(start.postgres, count); err != nil {
		return d, err
	}
	if d.redis, err = costOf(start.redis, count); err != nil {
		return d, err
	}
	for _, app := range apps {
		memory, err := process.MemoryOf(app.PID())
		if err != nil {
			return d, err
		}
		d.peak = max(d.peak, memory.Peak)
		if err := app.End(); err != nil {
			return d, err
		}
	}
	return d, nil
}

// begun is when a drain began, and what the servers had used then.
type begun struct {
	at              time.Time
	redis, postgres env.Meter
	err             error
}

// begin returns when the first entry has been handed out.
func (t *table) begin(ctx context.Context) (b begun) {
	if b.redis, b.err = t.env.Meter(t.env.Redis.PID()); b.err != nil {
		return b
	}
	if b.postgres, b.err = t.env.Meter(t.env.Postgres.PID()); b.err != nil {
		return b
	}
	const often, limit = 5 * time.Millisecond, time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, b.err = t.env.Await(ctx, often, func(p env.Progress) bool {
		if !p.Began() {
			b.at = p.At // the last look that saw nothing
		}
		return p.Began()
	})
	return b
}
