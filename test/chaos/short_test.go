package main

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/load"
	"github.com/eventpulse/eventpulse/test/harness"
)

// shortRun are the options of a selection that can be waited for.
func shortRun(t *testing.T) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	dir, err := harness.NewDir(fastDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dir.Close()) })
	binary, err := build()
	require.NoError(t, err)
	return Options{
		Binary: binary, Dir: dir.Path, Duration: 3 * time.Second, Rate: 300, Seed: 1,
		// Tests of other packages have the machine too, and its disk.
		ConservationOnly: true,
	}
}

// build builds the program once for all tests, into what TestMain removes.
var build = sync.OnceValues(func() (*env.Binary, error) {
	return env.Build(context.Background(), buildDir, false)
})

// fastDir returns a directory in memory where there is one with enough room:
// killing processes loses nothing that is there either.
func fastDir() string {
	const memory, enough = "/dev/shm", 2 << 30
	var st syscall.Statfs_t
	if syscall.Statfs(memory, &st) == nil && int64(st.Bavail)*st.Bsize > enough {
		return memory
	}
	return "/tmp"
}

func TestChaosShort(t *testing.T) {
	faults, err := choose(matrix(), "serve-killed-after-xadd,serve-killed-after-spooling,redis-frozen,redis-killed,work-killed-after-commit,postgres-cut-at-commit")
	require.NoError(t, err)
	o := shortRun(t)
	for _, f := range faults {
		t.Run(f.Name, func(t *testing.T) {
			r := perform(t.Context(), f, o)
			t.Log("\n" + headLine() + "\n" + r.line() + "\n" + r.details())
			if !r.Held() {
				t.Fatal("\n" + r.logTails())
			}
		})
	}
}

// A harness that cannot see a loss shows nothing: with ingest.ack=none, what
// waits in the memory of serve is lost with it.
func TestChaosSeesALoss(t *testing.T) {
	o := shortRun(t)
	r := perform(t.Context(), Fault{
		Name: "loses",
		What: "ingest.ack=none; Redis frozen; kill -9 of serve",
		Env: func(c *env.Config) {
			c.Settings["ingest.ack"], c.Settings["spool.deadline"] = "none", "10s"
		},
		Inject: while(freezeRedis, thawRedis, func(ctx context.Context, r *Run) error {
			// Enough was accepted that only the memory of serve has: what waits
			// for Redis is spooled ten seconds later.
			frozen, most := r.Load.Now(), context.WithoutCancel(ctx)
			for accepted := 0; accepted < 10 && most.Err() == nil; pause(most, 10*time.Millisecond) {
				accepted = load.Summarize(r.Load.Shots(), load.Span{From: frozen, To: r.Load.Now()}).Valid[load.Accepted]
			}
			return r.Env.Serve.Kill()
		}),
	}, o)
	t.Log("\n" + headLine() + "\n" + r.line() + "\n" + r.details())
	require.Positive(t, r.Report.Lost)
	require.False(t, r.Held())
	require.Contains(t, strings.Join(r.Wrong, "\n"), "lost")
}
