package main

import (
	"context"
	"errors"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/proxy"
)

// unharmed is what is expected when Redis is in trouble and serve is not.
var unharmed = Expect{Share: nearlyAll, Ready: true}

// redisFaults are what happens to Redis and to the way there.
func redisFaults() []Fault {
	return []Fault{
		{
			Name: "redis-killed", What: "kill -9 of Redis (appendfsync always), about every 3 s",
			Inject: every(3*time.Second, act(killRedis)),
			Expect: unharmed,
		},
		{
			Name: "redis-absent-at-boot", What: "no Redis when serve and work start",
			Env:    func(c *env.Config) { c.RedisAbsent = true },
			Inject: hold(nothing, func(e *env.Environment) error { return e.Redis.Start() }),
			Expect: Expect{Share: nearlyAll},
		},
		{
			Name: "redis-down", What: "Redis down for 2 minutes, or as long as the load lasts",
			Window: 2 * time.Minute,
			Inject: hold(func(e *env.Environment) error { return e.Redis.Stop() }, func(e *env.Environment) error { return e.Redis.Start() }),
			Expect: unharmed,
			Outage: &Outage{},
		},
		{
			Name: "redis-frozen", What: "SIGSTOP of Redis",
			Inject: hold(freezeRedis, thawRedis),
			Expect: unharmed,
		},
		{
			Name: "redis-frozen-again-and-again", What: "SIGSTOP of Redis for half a second, about every second",
			Inject: every(500*time.Millisecond, func(ctx context.Context, r *Run) error {
				err := freezeRedis(r.Env)
				pause(ctx, 500*time.Millisecond)
				return errors.Join(err, thawRedis(r.Env))
			}),
			Expect: unharmed,
		},
		{
			Name: "redis-frozen-ack-none", What: "ingest.ack=none; SIGSTOP of Redis for 10 s",
			Env:    func(c *env.Config) { c.Settings["ingest.ack"] = "none" },
			Inject: hold(freezeRedis, thawRedis),
			Expect: unharmed,
		},
		{
			Name: "redis-cut-in-mid-xadd", What: "the connection of serve is reset in the middle of a pipeline, about 5 times a second",
			Inject: every(200*time.Millisecond, trap(serveRedis, proxy.Up, proxy.MidXADD)),
			Expect: unharmed,
		},
		{
			Name: "redis-replies-swallowed", What: "what serve says arrives at Redis, what Redis says does not",
			Inject: hold(swallow(true, proxy.Down, serveRedis), swallow(false, proxy.Down, serveRedis)),
			Expect: unharmed,
		},
		{
			Name: "redis-deliveries-swallowed", What: "what work says arrives at Redis, what Redis says does not",
			Inject: hold(swallow(true, proxy.Down, workRedis), swallow(false, proxy.Down, workRedis)),
			Expect: unharmed,
		},
		{
			Name: "redis-blackholed", What: "nothing that serve or work says arrives at Redis, nor the other way",
			Inject: hold(
				steps(swallow(true, proxy.Up, serveRedis, workRedis), swallow(true, proxy.Down, serveRedis, workRedis)),
				steps(swallow(false, proxy.Up, serveRedis, workRedis), swallow(false, proxy.Down, serveRedis, workRedis))),
			Expect: unharmed,
		},
		{
			Name: "redis-refuses-connections", What: "connections to Redis are cut and refused",
			Inject: hold(redisAway, redisBack),
			Expect: unharmed,
		},
		{
			Name: "redis-client-kill-storm", What: "CLIENT KILL of everybody, 20 times a second",
			Inject: every(50*time.Millisecond, act(redisDo("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))),
			Expect: unharmed,
		},
		{
			Name: "redis-slow", What: "200 ± 100 ms for every answer of Redis",
			Inject: hold(slowRedis(200*time.Millisecond, 100*time.Millisecond), slowRedis(0, 0)),
			Expect: unharmed,
		},
	}
}

func nothing(*env.Environment) error { return nil }

func freezeRedis(e *env.Environment) error { return e.Redis.Pause() }
func thawRedis(e *env.Environment) error   { return e.Redis.Resume() }

type proxyOf = func(*env.Environment) *proxy.Proxy

func serveRedis(e *env.Environment) *proxy.Proxy { return e.ServeRedis }
func workRedis(e *env.Environment) *proxy.Proxy  { return e.WorkRedis }
func database(e *env.Environment) *proxy.Proxy   { return e.Database }

func swallow(on bool, d proxy.Direction, proxies ...proxyOf) step {
	return func(e *env.Environment) error {
		for _, p := range proxies {
			p(e).Swallow(d, on)
		}
		return nil
	}
}

func slowRedis(latency, jitter time.Duration) step {
	return func(e *env.Environment) error {
		e.ServeRedis.Delay(latency, jitter)
		e.WorkRedis.Delay(latency, jitter)
		return nil
	}
}

// trap cuts one connection where the match says. That nothing comes by until
// the end is no failure: there may be nobody left to cut.
func trap(p proxyOf, d proxy.Direction, match func([]byte) (int, bool)) injection {
	return func(ctx context.Context, r *Run) error {
		err := p(r.Env).Trap(ctx, d, match)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		r.count("connections cut")
		return err
	}
}
