package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/load"
	"github.com/eventpulse/eventpulse/test/harness"
)

// workFaults are what happens to workers. They are nothing to serve.
func workFaults() []Fault {
	return []Fault{
		{
			Name: "work-killed", What: "kill -9 of work, about every 2 s",
			Inject: every(2*time.Second, act(func(e *env.Environment) error { return workOf(e).Kill() })),
			Expect: unharmed,
		},
		{
			Name: "work-killed-after-read", What: "work dies when it has read and done nothing yet",
			Inject: killAt(workOf, fault.WorkRead),
			Expect: unharmed,
		},
		{
			Name: "work-killed-before-commit", What: "work dies before it writes to PostgreSQL",
			Inject: killAt(workOf, fault.WorkBefore),
			Expect: unharmed,
		},
		{
			Name: "work-killed-after-commit", What: "work dies when PostgreSQL has the events and Redis does not know",
			Inject: killAt(workOf, fault.WorkAfter),
			Expect: unharmed,
		},
		{
			Name: "work-terminated", What: "SIGTERM to work under load, about every 3 s",
			Inject: every(3*time.Second, terminate(workOf)),
			Expect: unharmed,
		},
		{
			Name: "work-gone", What: "one of two workers dies for good with deliveries in hand: the other has stored them 90 s later",
			Env: func(c *env.Config) {
				c.Workers = 2
				c.Settings["worker.claim_after"] = "60s"
			},
			Window: 100 * time.Second,
			Inject: goneForGood,
			Expect: unharmed,
		},
		{
			Name: "work-killed-after-claim", What: "one of two workers dies for good with deliveries in hand; the other dies when it has claimed them, and is started again",
			Env: func(c *env.Config) {
				c.Workers = 2
				c.Settings["worker.claim_after"] = "2s"
			},
			Inject: dieOverClaims,
			Expect: unharmed,
		},
		{
			Name: "work-frozen", What: "SIGSTOP of one of two workers past the claim time, then awake",
			Env: func(c *env.Config) {
				c.Workers = 2
				c.Settings["worker.claim_after"] = "2s"
			},
			Inject: every(time.Second, func(ctx context.Context, r *Run) error {
				err := workOf(r.Env).Pause()
				pause(ctx, 6*time.Second)
				return errors.Join(err, workOf(r.Env).Resume())
			}),
			Expect: unharmed,
		},
		{
			Name: "work-overlapping", What: "three workers, two of five events posted again, one worker killed about every 3 s",
			Env: func(c *env.Config) { c.Workers = 3 },
			Load: func(c *load.Config, _ *load.Maker) {
				c.Again = 0.4
			},
			Inject: every(3*time.Second, act(func(e *env.Environment) error { return workOf(e).Kill() })),
			Expect: unharmed,
		},
		{
			Name: "work-read-fails", What: "PostgreSQL takes no writes, then Redis refuses reads only, then PostgreSQL is well again: work stays not ready",
			Inject: failReads,
			Expect: unharmed,
		},
	}
}

// goneForGood kills one of two workers with deliveries in hand, leaves it
// dead, and waits for the other to have stored them.
func goneForGood(ctx context.Context, r *Run) error {
	limit := 90 * time.Second
	gone := workOf(r.Env)
	gone.Abandon()
	if err := r.Env.KillAt(ctx, gone, fault.WorkRead); err != nil {
		return err
	}
	died := time.Now()
	left, err := pendingOf(ctx, r.Env, gone.Name())
	if err != nil {
		return err
	}
	if left == 0 {
		return fmt.Errorf("%s died with nothing in hand", gone.Name())
	}
	if !r.Options.full() {
		// Cut short: that the other takes over is then seen at the end.
		r.note("%s died with %d deliveries in hand", gone.Name(), left)
		<-ctx.Done()
		return nil
	}
	for pending := left; pending > 0; {
		if time.Since(died) > limit {
			return fmt.Errorf("%d of %d deliveries of the dead worker are still pending after %v", pending, left, limit)
		}
		pause(context.WithoutCancel(ctx), 200*time.Millisecond)
		if pending, err = pendingOf(context.WithoutCancel(ctx), r.Env, gone.Name()); err != nil {
			return err
		}
	}
	r.note("%d deliveries of the dead worker were taken over within %v", left, time.Since(died).Round(time.Second))
	<-ctx.Done()
	return nil
}

// dieOverClaims kills one of two workers for good with deliveries in hand, and
// the other when it has claimed them and done nothing yet.
func dieOverClaims(ctx context.Context, r *Run) error {
	gone, peer := r.Env.Workers[0], r.Env.Workers[1]
	gone.Abandon()
	if err := r.Env.KillAt(ctx, gone, fault.WorkRead); err != nil {
		return err
	}
	left, err := pendingOf(context.WithoutCancel(ctx), r.Env, gone.Name())
	if err != nil {
		return err
	}
	if left == 0 {
		return fmt.Errorf("%s died with nothing in hand", gone.Name())
	}
	if err := r.Env.KillAt(ctx, peer, fault.WorkClaim); err != nil {
		return err
	}
	still, err := pendingOf(context.WithoutCancel(ctx), r.Env, gone.Name())
	if err != nil {
		return err
	}
	if still == left {
		return fmt.Errorf("%s died at %s and had claimed none of %d deliveries", peer.Name(), fault.WorkClaim, left)
	}
	r.note("%s died for good with %d deliveries in hand, %s when it had claimed %d of them", gone.Name(), left, peer.Name(), left-still)
	<-ctx.Done()
	return nil
}

// pendingOf returns how many deliveries a consumer has not acknowledged; none
// when there is no such consumer any more.
func pendingOf(ctx context.Context, e *env.Environment, consumer string) (int64, error) {
	replies, err := harness.Redis(ctx, e.Redis.Addr(), []string{"XINFO", "CONSUMERS", harness.StreamKey, harness.Group})
	if err != nil {
		return 0, err
	}
	consumers, _ := replies[0].([]any)
	for _, c := range consumers {
		if fields := harness.Fields(c); fields["name"] == consumer {
			n, _ := fields["pending"].(int64)
			return n, nil
		}
	}
	return 0, nil
}

// failReads has writing fail, then reading too, then only reading: that writing
// is well again must not make work ready while it cannot read. An ACL refuses
// XREADGROUP and nothing else, see https://redis.io/docs/latest/commands/acl-setuser/ .
func failReads(ctx context.Context, r *Run) error {
	always, work := context.WithoutCancel(ctx), r.Env.WorkAdmin[0]+"/readyz"
	if err := setReadOnly("on")(r.Env); err != nil {
		return err
	}
	err := r.becomes(always, "work is not ready, for it cannot write", func() bool { return env.Ask(always, work) != nil })
	err = errors.Join(err,
		redisDo("ACL", "SETUSER", "default", "-xreadgroup")(r.Env),
		redisDo("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")(r.Env), // the read that waits already
		setReadOnly("off")(r.Env),
		query(endSessions)(r.Env))
	if err != nil {
		return errors.Join(err, redisDo("ACL", "SETUSER", "default", "+@all")(r.Env))
	}
	// Writing is well again once what was in hand is acknowledged.
	err = r.becomes(always, "what work had read is stored and acknowledged", func() bool {
		n, err := pendingAll(always, r.Env)
		return err == nil && n == 0
	})
	if err == nil {
		err = r.becomes(always, "work is not ready, for it cannot read", func() bool { return env.Ask(always, work) != nil })
	}
	for looks := 0; err == nil && (looks < 50 || ctx.Err() == nil); looks++ {
		if env.Ask(always, work) == nil {
			err = errors.New("work says that it is ready and cannot read")
		}
		pause(always, 100*time.Millisecond)
	}
	return errors.Join(err, redisDo("ACL", "SETUSER", "default", "+@all")(r.Env))
}

// becomes waits until something is so.
func (r *Run) becomes(ctx context.Context, what string, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, r.Options.generous(30*time.Second))
	defer cancel()
	for !so() {
		if ctx.Err() != nil {
			return fmt.Errorf("it never came that %s", what)
		}
		pause(ctx, 50*time.Millisecond)
	}
	return nil
}
