package main

import (
	"context"
	"math"
	"time"

	"github.com/eventpulse/eventpulse/pkg/bench"
	"github.com/eventpulse/eventpulse/test/bench/env"
)

// batchConnectionsOpen are what batches at a fixed rate are sent over: few,
// because one batch is a lot.
const batchConnectionsOpen = 8

// loadOf returns the options of a load on serve, which is the load generator of
// `eventpulse bench`.
func loadOf(serve *env.App, batch int) bench.Options {
	o := bench.DefaultOptions()
	o.URL, o.Batch, o.Connections = "http://"+serve.API, batch, batchConnectionsOpen
	o.Duration = time.Hour // ends with its requests, or says how long itself
	return o
}

// offer offers a load; what was not accepted, or not stored where that is looked
// for, is an error.
func offer(ctx context.Context, o bench.Options, db bench.Database) (*bench.Report, error) {
	r, err := bench.Run(ctx, o, db, nil)
	if err == nil {
		err = r.Err()
	}
	if err == nil {
		err = ctx.Err()
	}
	return r, err
}

// eventBytes is the size of an event with a payload of so many bytes, or of an
// ordinary one.
func eventBytes(payload int) int {
	if payload == 0 {
		return bench.DefaultOptions().EventBytes
	}
	return bench.EventBytesOf(payload)
}

// p99 is the latency of accepted requests; not a number where there is none.
func p99(r *bench.Report) float64 {
	if r.Latency == nil {
		return math.NaN()
	}
	return r.Latency.P99
}
