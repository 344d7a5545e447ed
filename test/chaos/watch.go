package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/env"
)

// Seen is what was looked at all the time.
type Seen struct {
	Ready                 readiness // of serve
	ServeBytes, WorkBytes int64     // the most memory each took
	Memory                []footprint
	// Spooled is the most events the spool held, Drained when it was last
	// seen to hold one: on the load's clock, then since the healing.
	Spooled int64
	Drained time.Duration
	// Fsync is the longest that the disk took for next to nothing: what the
	// machine was like, whatever EventPulse did.
	Fsync time.Duration
}

// watch looks at serve and work until the returned function is called, which
// returns what was seen.
func (r *Run) watch(ctx context.Context) func() Seen {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	// It was ready when it was opened, if it could be.
	seen := Seen{Ready: readiness{life: r.Env.Serve.Starts(), up: !r.Env.Config.RedisAbsent}}
	var fsync time.Duration
	wg.Go(func() {
		for ctx.Err() == nil {
			r.look(ctx, &seen)
			pause(ctx, 250*time.Millisecond)
		}
	})
	wg.Go(func() { fsync = slowestFsync(ctx, r.Env.Config.Dir) })
	return func() Seen {
		stop()
		wg.Wait()
		seen.Fsync = fsync
		return seen
	}
}

func (r *Run) look(ctx context.Context, seen *Seen) {
	serve := r.Env.Serve
	life, alive := serve.Starts(), serve.PID() != 0
	ready := env.Ask(ctx, r.Env.ServeAdmin+"/readyz")
	if ready != nil {
		pause(ctx, reaping)
	}
	alive = alive && serve.PID() != 0 && serve.Starts() == life
	spooled, _, _ := env.Metric(ctx, r.Env.ServeAdmin, env.BacklogMetric)
	if ctx.Err() != nil {
		return
	}
	now := r.Load.Now()
	if alive {
		seen.Ready.saw(now, life, ready)
	}
	if spooled > 0 {
		seen.Spooled = max(seen.Spooled, int64(spooled))
		seen.Drained = now
	}
	size := footprint{at: now, serve: memory(serve.PID())}
	for _, w := range r.Env.Workers {
		size.work = max(size.work, memory(w.PID()))
	}
	seen.Memory = append(seen.Memory, size)
	seen.ServeBytes, seen.WorkBytes = max(seen.ServeBytes, size.serve), max(seen.WorkBytes, size.work)
}

// reaping is less than a process that died stays dead, and enough for it to
// be seen dead.
const reaping = 50 * time.Millisecond

// slowestFsync writes a little to a file in dir now and then.
func slowestFsync(ctx context.Context, dir string) (slowest time.Duration) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for ctx.Err() == nil {
		begin := time.Now()
		if _, err := f.WriteAt([]byte(begin.String()), 0); err != nil || f.Sync() != nil {
			return slowest
		}
		slowest = max(slowest, time.Since(begin))
		pause(ctx, 100*time.Millisecond)
	}
	return slowest
}

// memory returns what a process has resident, 0 when it is gone.
func memory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// crashes are what a process says when something is very wrong with it.
func crashes(logPath string) []string {
	f, err := os.Open(logPath)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var found []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() && len(found) < 3 {
		line := lines.Bytes()
		if slices.ContainsFunc([]string{"WARNING: DATA RACE", "panic: ", "fatal error: "}, func(crash string) bool {
			return bytes.HasPrefix(line, []byte(crash)) || bytes.Contains(line, []byte(`"panic`))
		}) {
			found = append(found, strings.TrimSpace(string(line[:min(len(line), 300)])))
		}
	}
	return found
}

// logs returns the paths of everything that runs there wrote.
func (r *Run) logs() []string {
	paths := []string{r.Env.Serve.LogPath()}
	for _, w := range r.Env.Workers {
		paths = append(paths, w.LogPath())
	}
	return append(paths, r.Env.Config.Dir+"/redis/redis.log", r.Env.Config.Dir+"/postgres/postgres.log")
}

// tailOf returns the last lines of a file.
func tailOf(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
