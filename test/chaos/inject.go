package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/harness"
)

// injection is what a fault does until its context ends, healing included.
type injection = func(context.Context, *Run) error

// step is one act of injecting or healing.
type step = func(*env.Environment) error

// hold begins, waits for the time to be over, and ends.
func hold(begin, end step) injection {
	return func(ctx context.Context, r *Run) error {
		if err := begin(r.Env); err != nil {
			return err
		}
		<-ctx.Done()
		return end(r.Env)
	}
}

// every acts again and again, with pauses of about d, and heals last.
func every(d time.Duration, act injection, heal ...step) injection {
	return func(ctx context.Context, r *Run) error {
		var err error
		for err == nil && ctx.Err() == nil {
			err = act(ctx, r)
			pause(ctx, d/2+rand.N(d))
		}
		for _, h := range heal {
			err = errors.Join(err, h(r.Env))
		}
		return err
	}
}

// while injects a fault for as long as another lasts, which is healed after it.
func while(begin, end step, inner injection) injection {
	return func(ctx context.Context, r *Run) error {
		if err := begin(r.Env); err != nil {
			return err
		}
		return errors.Join(inner(ctx, r), end(r.Env))
	}
}

// act makes an injection of a step.
func act(s step) injection {
	return func(_ context.Context, r *Run) error { return s(r.Env) }
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// firstKill is how long a child may take to come by a mark for the first time,
// whatever the window: a busy machine is no failure.
const firstKill = time.Minute

// killAt lets a child die at marks again and again, at each of them at least
// once.
func killAt(who func(*env.Environment) *env.Child, marks ...fault.Mark) injection {
	return func(ctx context.Context, r *Run) error {
		died := map[fault.Mark]int{}
		for i := 0; i < len(marks) || ctx.Err() == nil; i++ {
			m := marks[i%len(marks)]
			attempt, cancel := ctx, context.CancelFunc(func() {})
			if i < len(marks) {
				attempt, cancel = context.WithTimeout(context.WithoutCancel(ctx), firstKill)
			}
			err := r.Env.KillAt(attempt, who(r.Env), m)
			cancel()
			switch {
			case err == nil:
				died[m]++
			case i < len(marks):
				return fmt.Errorf("is the binary built with the tag chaos, and is the mark set? %w", err)
			case ctx.Err() == nil:
				return err
			}
			pause(ctx, time.Second+rand.N(time.Second))
		}
		for _, m := range marks {
			r.note("died %d× at %s", died[m], m)
		}
		return nil
	}
}

func serveOf(e *env.Environment) *env.Child { return e.Serve }
func workOf(e *env.Environment) *env.Child  { return e.Workers[0] }

// redisDo runs one command on Redis itself.
func redisDo(args ...string) step {
	return func(e *env.Environment) error {
		_, err := harness.Redis(context.Background(), e.Redis.Addr(), args)
		return err
	}
}

// redisAtOnce runs commands as one transaction.
func redisAtOnce(commands ...[]string) step {
	return func(e *env.Environment) error {
		all := append([][]string{{"MULTI"}}, commands...)
		_, err := harness.Redis(context.Background(), e.Redis.Addr(), append(all, []string{"EXEC"})...)
		return err
	}
}

// steps takes one after the other.
func steps(all ...step) step {
	return func(e *env.Environment) error {
		for _, one := range all {
			if err := one(e); err != nil {
				return err
			}
		}
		return nil
	}
}

// redisAway and redisBack take serve's and work's way to Redis.
func redisAway(e *env.Environment) error {
	e.ServeRedis.Refuse(true)
	e.WorkRedis.Refuse(true)
	return nil
}

func redisBack(e *env.Environment) error {
	e.ServeRedis.Refuse(false)
	e.WorkRedis.Refuse(false)
	return nil
}

func killRedis(e *env.Environment) error { return errors.Join(e.Redis.Kill(), e.Redis.Start()) }
func killPostgres(e *env.Environment) error {
	return errors.Join(e.Postgres.Kill(), e.Postgres.Start())
}
