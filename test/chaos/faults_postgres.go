package main

import (
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/proxy"
)

// postgresFaults are what happens to PostgreSQL and to the way there. They are
// nothing to serve.
func postgresFaults() []Fault {
	return []Fault{
		{
			Name: "postgres-killed", What: "kill -9 of PostgreSQL with all its processes, about every 4 s",
			Inject: every(4*time.Second, act(killPostgres)),
			Expect: unharmed,
		},
		{
			Name: "postgres-down", What: "PostgreSQL down for 2 minutes, or as long as the load lasts; everything stored within a minute of its return",
			Window: 2 * time.Minute,
			Inject: hold(func(e *env.Environment) error { return e.Postgres.Stop() }, func(e *env.Environment) error { return e.Postgres.Start() }),
			Expect: unharmed,
			Outage: &Outage{Within: time.Minute, WorkGrowth: 32 << 20},
		},
		{
			Name: "postgres-frozen", What: "SIGSTOP of PostgreSQL with all its processes",
			Inject: hold(func(e *env.Environment) error { return e.Postgres.Pause() }, func(e *env.Environment) error { return e.Postgres.Resume() }),
			Expect: unharmed,
		},
		{
			Name: "postgres-cut-at-commit", What: "the connection is reset when PostgreSQL has committed and before it can say so",
			Inject: every(300*time.Millisecond, trap(database, proxy.Down, proxy.Committed)),
			Expect: unharmed,
		},
		{
			Name: "postgres-cut-in-mid-insert", What: "the connection is reset in the middle of a statement",
			Inject: every(300*time.Millisecond, trap(database, proxy.Up, proxy.MidInsert)),
			Expect: unharmed,
		},
		{
			Name: "postgres-replies-swallowed", What: "what work says arrives at PostgreSQL, what PostgreSQL says does not",
			Inject: hold(swallow(true, proxy.Down, database), swallow(false, proxy.Down, database)),
			Expect: unharmed,
		},
		{
			Name: "postgres-slow", What: "200 ± 100 ms for every answer of PostgreSQL",
			Inject: hold(
				func(e *env.Environment) error {
					e.Database.Delay(200*time.Millisecond, 100*time.Millisecond)
					return nil
				},
				func(e *env.Environment) error { e.Database.Delay(0, 0); return nil }),
			Expect: unharmed,
		},
	}
}
