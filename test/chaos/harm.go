package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/stage"
)

// harm is what a fault does until its context ends, healing included.
type harm = func(context.Context, *Run) error

// step is one act of harm or healing.
type step = func(*stage.Stage) error

// hold begins, waits for the time to be over, and ends.
func hold(begin, end step) harm {
	return func(ctx context.Context, r *Run) error {
		if err := begin(r.Stage); err != nil {
			return err
		}
		<-ctx.Done()
		return end(r.Stage)
	}
}

// every acts again and again, with pauses of about d, and heals last.
func every(d time.Duration, act harm, heal ...step) harm {
	return func(ctx context.Context, r *Run) error {
		var err error
		for err == nil && ctx.Err() == nil {
			err = act(ctx, r)
			pause(ctx, d/2+rand.N(d))
		}
		for _, h := range heal {
			err = errors.Join(err, h(r.Stage))
		}
		return err
	}
}

// while does harm for as long as another lasts, which is healed after it.
func while(begin, end step, inner harm) harm {
	return func(ctx context.Context, r *Run) error {
		if err := begin(r.Stage); err != nil {
			return err
		}
		return errors.Join(inner(ctx, r), end(r.Stage))
	}
}

// act makes a harm of a step.
func act(s step) harm {
	return func(_ context.Context, r *Run) error { return s(r.Stage) }
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
func killAt(who func(*stage.Stage) *stage.Child, marks ...fault.Mark) harm {
	return func(ctx context.Context, r *Run) error {
		died := map[fault.Mark]int{}
		for i := 0; i < len(marks) || ctx.Err() == nil; i++ {
			m := marks[i%len(marks)]
			attempt, cancel := ctx, context.CancelFunc(func() {})
			if i < len(marks) {
				attempt, cancel = context.WithTimeout(context.WithoutCancel(ctx), firstKill)
			}
			err := r.Stage.KillAt(attempt, who(r.Stage), m)
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

func serveOf(s *stage.Stage) *stage.Child { return s.Serve }
func workOf(s *stage.Stage) *stage.Child  { return s.Workers[0] }

// redisDo runs one command on Redis itself.
func redisDo(args ...string) step {
	return func(s *stage.Stage) error {
		_, err := stage.Redis(context.Background(), s.Redis.Addr(), args)
		return err
	}
}

// redisAtOnce runs commands as one transaction.
func redisAtOnce(commands ...[]string) step {
	return func(s *stage.Stage) error {
		all := append([][]string{{"MULTI"}}, commands...)
		_, err := stage.Redis(context.Background(), s.Redis.Addr(), append(all, []string{"EXEC"})...)
		return err
	}
}

// steps takes one after the other.
func steps(all ...step) step {
	return func(s *stage.Stage) error {
		for _, one := range all {
			if err := one(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// redisAway and redisBack take serve's and work's way to Redis.
func redisAway(s *stage.Stage) error {
	s.ServeRedis.Refuse(true)
	s.WorkRedis.Refuse(true)
	return nil
}

func redisBack(s *stage.Stage) error {
	s.ServeRedis.Refuse(false)
	s.WorkRedis.Refuse(false)
	return nil
}

func killRedis(s *stage.Stage) error    { return errors.Join(s.Redis.Kill(), s.Redis.Start()) }
func killPostgres(s *stage.Stage) error { return errors.Join(s.Postgres.Kill(), s.Postgres.Start()) }
