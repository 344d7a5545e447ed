package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/eventpulse/eventpulse/pkg/bench"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/sample"
)

// latency measures how long producers wait for an answer, and readers of the
// database for an event after that, at a rate that leaves everybody time.
func latency(ctx context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, 1)
	if err != nil {
		return nil, err
	}
	postP50 := Figure{Name: "POST p50", Unit: "ms"}
	postP99 := Figure{Name: "POST p99", Unit: "ms", Goal: atMost(10)}
	visibleP50 := Figure{Name: "accepted to visible p50", Unit: "ms", Goal: atMost(10)}
	visibleP99 := Figure{Name: "accepted to visible p99", Unit: "ms", Goal: atMost(100)}
	resolution := Figure{Name: "too long by up to", Unit: "ms"}

	return func(ctx context.Context, r *Round) error {
		if err := t.env.Exec(ctx, "TRUNCATE events", "CHECKPOINT"); err != nil {
			return err
		}
		return t.withStream(everySecond, func() error {
			serve, err := t.env.Serve(ctx, nil)
			if err != nil {
				return err
			}
			work, err := t.env.Work(ctx, nil)
			if err != nil {
				return err
			}
			seen, err := t.sendAndSee(ctx, serve, 3*e.span())
			if err = errors.Join(err, serve.End(), work.End()); err != nil {
				return err
			}
			r.Note(postP50, seen.Latency.P50)
			r.Note(postP99, seen.Latency.P99)
			visible := seen.Verification.Visible
			r.Note(visibleP50, visible.Latency.P50)
			r.Note(visibleP99, visible.Latency.P99)
			r.Note(resolution, visible.Within)
			return nil
		})
	}, nil
}

// sendAndSee posts single events at a rate for a time, and watches some of them
// appear in the table.
func (t *table) sendAndSee(ctx context.Context, serve *env.App, d time.Duration) (*bench.Report, error) {
	cfg := store.DefaultConfig()
	cfg.URL = t.env.Database
	db, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return nil, err
	}
	o := loadOf(serve, 1)
	o.Rate, o.Connections, o.Duration, o.WatchEvery = 1000, singleConnections, d, 2*time.Millisecond
	r, err := offer(ctx, o, db)
	if err == nil && r.Verification.Visible.Samples == 0 {
		err = errors.New("no event was seen in the table")
	}
	return r, errors.Join(err, db.Close())
}
