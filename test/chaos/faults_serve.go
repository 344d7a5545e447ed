package main

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/stage"
)

func killServe(s *stage.Stage) error { return s.Serve.Kill() }

// serveFaults are what happens to serve with Redis at hand.
func serveFaults() []Fault {
	return []Fault{
		{
			Name: "serve-killed", What: "kill -9 of serve, about every 2 s",
			Harm:   every(2*time.Second, act(killServe)),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-before-xadd", What: "serve dies before it sends events to Redis",
			Harm:   killAt(serveOf, fault.PublishBefore),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-after-xadd", What: "serve dies when Redis has the events and the producer no answer",
			Harm:   killAt(serveOf, fault.PublishAfter),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-terminated", What: "SIGTERM to serve under load, about every 4 s; it must answer what it has begun and end in order",
			Harm:   every(4*time.Second, terminate(serveOf)),
			Expect: Expect{Share: some},
		},
		{
			Name: "serve-frozen", What: "SIGSTOP of serve for 30 s",
			Window: 30 * time.Second,
			Harm:   hold(freezeServe, thawServe),
			Expect: Expect{Share: none, Deaf: true},
		},
	}
}

func freezeServe(s *stage.Stage) error { return s.Serve.Pause() }
func thawServe(s *stage.Stage) error   { return s.Serve.Resume() }

// terminate stops a child in order, however it is loaded, and starts it again.
func terminate(who func(*stage.Stage) *stage.Child) harm {
	return func(_ context.Context, r *Run) error {
		c := who(r.Stage)
		took, err := c.Stop(r.Options.generous(stopLimit))
		if err != nil {
			return err
		}
		r.note("%s ended %v after SIGTERM", c.Name(), took.Round(10*time.Millisecond))
		return c.Start()
	}
}
