package main

import (
	"context"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
)

func parseEvent(_ context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	rate := Figure{Name: "throughput", Unit: "MB/s", Goal: atLeast(300)}
	once := Figure{Name: "time", Unit: "ns/event"}
	allocations := Figure{Name: "allocations", Unit: "per event", Goal: atMost(6)}

	return func(ctx context.Context, r *Round) error {
		root, err := env.ModuleRoot(ctx)
		if err != nil {
			return err
		}
		figures, err := measure.GoBenchmark(ctx, root, "./pkg/event", "BenchmarkParse/small", e.span()/5)
		if err != nil {
			return err
		}
		r.Note(rate, figures["MB/s"])
		r.Note(once, figures["ns/op"])
		r.Note(allocations, figures["allocs/op"])
		return nil
	}, nil
}
