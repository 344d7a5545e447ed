package main

import (
	"context"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/bench/sample"
	"github.com/eventpulse/eventpulse/test/harness"
)

const (
	batchEvents      = 100
	batchConnections = 32
	redisBenchmark   = "redis-benchmark"
)

func batch(_ context.Context, e *Setup) (func(context.Context, *Round) error, error) {
	rate := Figure{Name: "throughput", Unit: "events/s", Baseline: redisBenchmark, Goal: atLeast(0.60)}
	p99 := Figure{Name: "p99 of a batch", Unit: "ms"}
	cpu := Figure{Name: "CPU of serve", Unit: "µs/event"}
	redis := Figure{Name: "CPU of Redis", Unit: "µs/event", Baseline: redisBenchmark}

	return func(ctx context.Context, r *Round) error {
		var own posted
		var limit, limitCPU float64
		err := r.InTurn(
			func() (err error) { limit, limitCPU, err = e.benchmarkRedis(ctx); return err },
			func() (err error) { own, err = e.postBatches(ctx, everySecond); return err },
		)
		if err != nil {
			return err
		}
		r.Compare(rate, own.Rate*batchEvents, limit)
		r.Note(p99, millis(own.P99))
		r.Note(cpu, own.cpu)
		r.Compare(redis, own.redisCPU, limitCPU)
		return nil
	}, nil
}

func (e *Setup) postBatches(ctx context.Context, appendfsync string) (posted, error) {
	return e.postToServe(ctx, appendfsync, batchPath, sample.Maker{}.Batch(0, batchEvents), batchConnections, batchEvents)
}

// benchmarkRedis returns the entries per second that Redis takes, and its
// processor time for each in µs.
func (e *Setup) benchmarkRedis(ctx context.Context) (rate, cpu float64, err error) {
	err = e.WithEnvironment(func(r *env.Environment) error {
		if err := r.StartRedis(everySecond); err != nil {
			return err
		}
		meter, err := r.Meter(r.Redis.PID())
		if err != nil {
			return err
		}
		b := measure.RedisBenchmark{
			Addr: r.Redis.Addr(), Duration: e.span(),
			Command: append([]string{"XADD", harness.StreamKey, "*"}, sample.Maker{}.Fields(0)...),
		}
		if rate, err = b.Run(ctx); err != nil {
			return err
		}
		replies, err := harness.Redis(ctx, r.Redis.Addr(), []string{"XLEN", harness.StreamKey})
		if err != nil {
			return err
		}
		length, _ := replies[0].(int64)
		cpu, err = costOf(meter, int(length))
		return err
	})
	return rate, cpu, err
}
