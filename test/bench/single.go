package main

import (
	"context"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/bench/sample"
)

const (
	singlePath  = "/api/v1/events"
	batchPath   = "/api/v1/events/batch"
	bareHandler = "bare handler"
)

// singleConnections are kept busy when single events are posted.
const singleConnections = 64

func single(_ context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	rate := Figure{Name: "throughput", Unit: "req/s", Baseline: bareHandler, Goal: atLeast(0.50)}
	p50 := Figure{Name: "p50", Unit: "ms", Baseline: bareHandler}
	p99 := Figure{Name: "p99", Unit: "ms", Baseline: bareHandler, Goal: atMost(2.5)}
	cpu := Figure{Name: "CPU of serve", Unit: "µs/event", Baseline: bareHandler}
	redis := Figure{Name: "CPU of Redis", Unit: "µs/event"}

	return func(ctx context.Context, r *Round) error {
		var own, limit posted
		err := r.InTurn(
			func() (err error) { limit, err = e.postBare(ctx); return err },
			func() (err error) { own, err = e.postSingles(ctx, everySecond); return err },
		)
		if err != nil {
			return err
		}
		r.Compare(rate, own.Rate, limit.Rate)
		r.Compare(p50, millis(own.P50), millis(limit.P50))
		r.Compare(p99, millis(own.P99), millis(limit.P99))
		r.Compare(cpu, own.cpu, limit.cpu)
		r.Note(redis, own.redisCPU)
		return nil
	}, nil
}

func (e *Setup) postBare(ctx context.Context) (p posted, err error) {
	err = e.WithEnvironment(func(r *env.Environment) error {
		app, err := r.Bare(ctx)
		if err != nil {
			return err
		}
		p, err = e.post(ctx, r, app, singlePath, sample.Maker{}.JSON(0), singleConnections, 1)
		return err
	})
	return p, err
}

func (e *Setup) postSingles(ctx context.Context, appendfsync string) (posted, error) {
	return e.postToServe(ctx, appendfsync, singlePath, sample.Maker{}.JSON(0), singleConnections, 1)
}

// postToServe posts to a serve and a Redis of their own.
func (e *Setup) postToServe(ctx context.Context, appendfsync, path, body string, connections, events int) (p posted, err error) {
	err = e.WithEnvironment(func(r *env.Environment) error {
		if err := r.StartRedis(appendfsync); err != nil {
			return err
		}
		app, err := r.Serve(ctx, nil)
		if err != nil {
			return err
		}
		p, err = e.post(ctx, r, app, path, body, connections, events)
		return err
	})
	return p, err
}

// posted is what came of posting.
type posted struct {
	measure.WrkResult
	cpu, redisCPU float64 // µs per event
	peak          int64   // most memory that the process held so far, in bytes
}
