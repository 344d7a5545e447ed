package main

import (
	"context"
	"errors"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/stage"
	"github.com/eventpulse/eventpulse/test/chaos/wire"
)

// unharmed is what is expected when Redis is in trouble and serve is not.
var unharmed = Expect{Share: nearlyAll, Ready: true}

// redisFaults are what happens to Redis and to the way there.
func redisFaults() []Fault {
	return []Fault{
		{
			Name: "redis-killed", What: "kill -9 of Redis (appendfsync always), about every 3 s",
			Harm:   every(3*time.Second, act(killRedis)),
			Expect: unharmed,
		},
		{
			Name: "redis-absent-at-boot", What: "no Redis when serve and work start",
			Stage:  func(c *stage.Config) { c.RedisAbsent = true },
			Harm:   hold(nothing, func(s *stage.Stage) error { return s.Redis.Start() }),
			Expect: Expect{Share: nearlyAll},
		},
		{
			Name: "redis-down", What: "Redis down for 2 minutes, or as long as the load lasts",
			Window: 2 * time.Minute,
			Harm:   hold(func(s *stage.Stage) error { return s.Redis.Stop() }, func(s *stage.Stage) error { return s.Redis.Start() }),
			Expect: unharmed,
			Outage: &Outage{},
		},
		{
			Name: "redis-frozen", What: "SIGSTOP of Redis",
			Harm:   hold(freezeRedis, thawRedis),
			Expect: unharmed,
		},
		{
			Name: "redis-frozen-again-and-again", What: "SIGSTOP of Redis for half a second, about every second",
			Harm: every(500*time.Millisecond, func(ctx context.Context, r *Run) error {
				err := freezeRedis(r.Stage)
				pause(ctx, 500*time.Millisecond)
				return errors.Join(err, thawRedis(r.Stage))
			}),
			Expect: unharmed,
		},
		{
			Name: "redis-frozen-ack-none", What: "ingest.ack=none; SIGSTOP of Redis for 10 s",
			Stage:  func(c *stage.Config) { c.Settings["ingest.ack"] = "none" },
			Harm:   hold(freezeRedis, thawRedis),
			Expect: unharmed,
		},
		{
			Name: "redis-cut-in-mid-xadd", What: "the connection of serve is reset in the middle of a pipeline, about 5 times a second",
			Harm:   every(200*time.Millisecond, trap(serveRedis, wire.Up, wire.MidXADD)),
			Expect: unharmed,
		},
		{
			Name: "redis-replies-swallowed", What: "what serve says arrives at Redis, what Redis says does not",
			Harm:   hold(swallow(true, wire.Down, serveRedis), swallow(false, wire.Down, serveRedis)),
			Expect: unharmed,
		},
		{
			Name: "redis-deliveries-swallowed", What: "what work says arrives at Redis, what Redis says does not",
			Harm:   hold(swallow(true, wire.Down, workRedis), swallow(false, wire.Down, workRedis)),
			Expect: unharmed,
		},
		{
			Name: "redis-blackholed", What: "nothing that serve or work says arrives at Redis, nor the other way",
			Harm: hold(
				steps(swallow(true, wire.Up, serveRedis, workRedis), swallow(true, wire.Down, serveRedis, workRedis)),
				steps(swallow(false, wire.Up, serveRedis, workRedis), swallow(false, wire.Down, serveRedis, workRedis))),
			Expect: unharmed,
		},
		{
			Name: "redis-refuses-connections", What: "connections to Redis are cut and refused",
			Harm:   hold(redisAway, redisBack),
			Expect: unharmed,
		},
		{
			Name: "redis-client-kill-storm", What: "CLIENT KILL of everybody, 20 times a second",
			Harm:   every(50*time.Millisecond, act(redisDo("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))),
			Expect: unharmed,
		},
		{
			Name: "redis-slow", What: "200 ± 100 ms for every answer of Redis",
			Harm:   hold(slowRedis(200*time.Millisecond, 100*time.Millisecond), slowRedis(0, 0)),
			Expect: unharmed,
		},
	}
}

func nothing(*stage.Stage) error { return nil }

func freezeRedis(s *stage.Stage) error { return s.Redis.Pause() }
func thawRedis(s *stage.Stage) error   { return s.Redis.Resume() }

type proxyOf = func(*stage.Stage) *wire.Proxy

func serveRedis(s *stage.Stage) *wire.Proxy { return s.ServeRedis }
func workRedis(s *stage.Stage) *wire.Proxy  { return s.WorkRedis }
func database(s *stage.Stage) *wire.Proxy   { return s.Database }

func swallow(on bool, d wire.Direction, proxies ...proxyOf) step {
	return func(s *stage.Stage) error {
		for _, p := range proxies {
			p(s).Swallow(d, on)
		}
		return nil
	}
}

func slowRedis(latency, jitter time.Duration) step {
	return func(s *stage.Stage) error {
		s.ServeRedis.Delay(latency, jitter)
		s.WorkRedis.Delay(latency, jitter)
		return nil
	}
}

// trap cuts one connection where the match says. That nothing comes by until
// the end is no failure: there may be nobody left to cut.
func trap(p proxyOf, d wire.Direction, match func([]byte) (int, bool)) harm {
	return func(ctx context.Context, r *Run) error {
		err := p(r.Stage).Trap(ctx, d, match)
		if err != nil && ctx.Err() != nil {
			return nil
		}
		r.count("connections cut")
		return err
	}
}
