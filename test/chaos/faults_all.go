package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/env"
)

// Names of the faults that flags of their own ask for.
const (
	randomName = "everything-random"
	soakName   = "soak"
)

// allFaults are what happens to everybody.
func allFaults() []Fault {
	return []Fault{
		{
			Name: randomName, What: "serve, work, Redis and PostgreSQL are killed and connections cut, whoever is next, with no time to recover",
			Env:    func(c *env.Config) { c.Workers = 2 },
			Inject: everythingRandom,
			Expect: Expect{Share: most},
		},
		{
			Name: "clock-jumps", What: "the wall clock of Redis and PostgreSQL is an hour ahead, then an hour behind, then right",
			Env: func(c *env.Config) {
				c.Clock = true
				c.Workers = 2
			},
			Inject: jumpClock,
			Expect: unharmed,
		},
		{
			Name: soakName, What: "nothing is done: memory, stream, pending list, goroutines, files and spool must stay flat",
			Inject: soak,
			Expect: Expect{Share: nearlyAll, Ready: true, Steady: true},
		},
	}
}

// everythingRandom does one thing after the other to whoever is next.
func everythingRandom(ctx context.Context, r *Run) error {
	short := func(begin, end step) injection {
		return func(ctx context.Context, r *Run) error {
			err := begin(r.Env)
			pause(ctx, 500*time.Millisecond+rand.N(1500*time.Millisecond))
			return errors.Join(err, end(r.Env))
		}
	}
	anyWorker := func(e *env.Environment) *env.Child { return e.Workers[rand.IntN(len(e.Workers))] }
	acts := []struct {
		name string
		do   injection
	}{
		{"serve killed", act(killServe)},
		{"work killed", act(func(e *env.Environment) error { return anyWorker(e).Kill() })},
		{"Redis killed", act(killRedis)},
		{"PostgreSQL killed", act(killPostgres)},
		{"connections cut", act(func(e *env.Environment) error {
			e.ServeRedis.Reset()
			e.WorkRedis.Reset()
			e.Database.Reset()
			return nil
		})},
		{"Redis frozen", short(freezeRedis, thawRedis)},
		{"Redis refused", short(redisAway, redisBack)},
		{"PostgreSQL frozen", short(
			func(e *env.Environment) error { return e.Postgres.Pause() },
			func(e *env.Environment) error { return e.Postgres.Resume() })},
		{"all killed", act(func(e *env.Environment) error {
			return errors.Join(killServe(e), anyWorker(e).Kill(), e.Redis.Kill(), e.Postgres.Kill(), e.Redis.Start(), e.Postgres.Start())
		})},
	}
	for ctx.Err() == nil {
		a := acts[rand.IntN(len(acts))]
		if err := a.do(ctx, r); err != nil {
			return err
		}
		r.count("× " + a.name)
		pause(ctx, 300*time.Millisecond+rand.N(2*time.Second))
	}
	return nil
}

// jumpClock sets the servers' clock wrong, for a third of the time each way.
func jumpClock(ctx context.Context, r *Run) error {
	deadline, _ := ctx.Deadline()
	third := time.Until(deadline) / 3
	for _, wrong := range []time.Duration{time.Hour, -time.Hour, 0} {
		if err := r.Env.Clock.Set(wrong); err != nil {
			return err
		}
		pause(ctx, third)
	}
	<-ctx.Done()
	return nil
}
