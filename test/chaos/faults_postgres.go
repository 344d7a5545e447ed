package main

import (
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/stage"
	"github.com/eventpulse/eventpulse/test/chaos/wire"
)

// postgresFaults are what happens to PostgreSQL and to the way there. They are
// nothing to serve.
func postgresFaults() []Fault {
	return []Fault{
		{
			Name: "postgres-killed", What: "kill -9 of PostgreSQL with all its processes, about every 4 s",
			Harm:   every(4*time.Second, act(killPostgres)),
			Expect: unharmed,
		},
		{
			Name: "postgres-down", What: "PostgreSQL down for 2 minutes, or as long as the load lasts; everything stored within a minute of its return",
			Window: 2 * time.Minute,
			Harm:   hold(func(s *stage.Stage) error { return s.Postgres.Stop() }, func(s *stage.Stage) error { return s.Postgres.Start() }),
			Expect: unharmed,
			Outage: &Outage{Within: time.Minute, WorkGrowth: 32 << 20},
		},
		{
			Name: "postgres-frozen", What: "SIGSTOP of PostgreSQL with all its processes",
			Harm:   hold(func(s *stage.Stage) error { return s.Postgres.Pause() }, func(s *stage.Stage) error { return s.Postgres.Resume() }),
			Expect: unharmed,
		},
		{
			Name: "postgres-cut-at-commit", What: "the connection is reset when PostgreSQL has committed and before it can say so",
			Harm:   every(300*time.Millisecond, trap(database, wire.Down, wire.Committed)),
			Expect: unharmed,
		},
		{
			Name: "postgres-cut-in-mid-insert", What: "the connection is reset in the middle of a statement",
			Harm:   every(300*time.Millisecond, trap(database, wire.Up, wire.MidInsert)),
			Expect: unharmed,
		},
		{
			Name: "postgres-replies-swallowed", What: "what work says arrives at PostgreSQL, what PostgreSQL says does not",
			Harm:   hold(swallow(true, wire.Down, database), swallow(false, wire.Down, database)),
			Expect: unharmed,
		},
		{
			Name: "postgres-slow", What: "200 ± 100 ms for every answer of PostgreSQL",
			Harm: hold(
				func(s *stage.Stage) error { s.Database.Delay(200*time.Millisecond, 100*time.Millisecond); return nil },
				func(s *stage.Stage) error { s.Database.Delay(0, 0); return nil }),
			Expect: unharmed,
		},
	}
}
