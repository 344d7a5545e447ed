package main

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/env"
)

func killServe(e *env.Environment) error { return e.Serve.Kill() }

// serveFaults are what happens to serve with Redis at hand.
func serveFaults() []Fault {
	return []Fault{
		{
			Name: "serve-killed", What: "kill -9 of serve, about every 2 s",
			Inject: every(2*time.Second, act(killServe)),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-before-xadd", What: "serve dies before it sends events to Redis",
			Inject: killAt(serveOf, fault.PublishBefore),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-after-xadd", What: "serve dies when Redis has the events and the producer no answer",
			Inject: killAt(serveOf, fault.PublishAfter),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-terminated", What: "SIGTERM to serve under load, about every 4 s; it must answer what it has begun and end in order",
			Inject: every(4*time.Second, terminate(serveOf)),
			Expect: Expect{Share: some},
		},
		{
			Name: "serve-frozen", What: "SIGSTOP of serve for 30 s",
			Window: 30 * time.Second,
			Inject: hold(freezeServe, thawServe),
			Expect: Expect{Share: none, Deaf: true},
		},
	}
}

func freezeServe(e *env.Environment) error { return e.Serve.Pause() }
func thawServe(e *env.Environment) error   { return e.Serve.Resume() }

// terminate stops a child in order, however it is loaded, and starts it again.
func terminate(who func(*env.Environment) *env.Child) injection {
	return func(_ context.Context, r *Run) error {
		c := who(r.Env)
		took, err := c.Stop(r.Options.generous(stopLimit))
		if err != nil {
			return err
		}
		r.note("%s ended %v after SIGTERM", c.Name(), took.Round(10*time.Millisecond))
		return c.Start()
	}
}
