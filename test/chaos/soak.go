package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/stage"
)

// gauge is something that must not grow with time.
type gauge struct {
	name  string
	slack float64 // growth that means nothing
	read  func(context.Context, *stage.Stage) (float64, error)
}

const megabyte = 1 << 20

func gauges() []gauge {
	ofProcess := func(who func(*stage.Stage) *stage.Child, read func(pid int) float64) func(context.Context, *stage.Stage) (float64, error) {
		return func(_ context.Context, s *stage.Stage) (float64, error) { return read(who(s).PID()), nil }
	}
	megabytes := func(pid int) float64 { return float64(memory(pid)) / megabyte }
	metric := func(admin func(*stage.Stage) string, name string) func(context.Context, *stage.Stage) (float64, error) {
		return func(ctx context.Context, s *stage.Stage) (float64, error) {
			v, _, err := stage.Metric(ctx, admin(s), name)
			return v, err
		}
	}
	serve := func(s *stage.Stage) string { return s.ServeAdmin }
	work := func(s *stage.Stage) string { return s.WorkAdmin[0] }
	return []gauge{
		{"serve MB", 24, ofProcess(serveOf, megabytes)},
		{"work MB", 24, ofProcess(workOf, megabytes)},
		{"serve goroutines", 50, metric(serve, "go_goroutines")},
		{"work goroutines", 50, metric(work, "go_goroutines")},
		{"serve files", 50, ofProcess(serveOf, openFiles)},
		{"work files", 50, ofProcess(workOf, openFiles)},
		{"stream", 20_000, func(ctx context.Context, s *stage.Stage) (float64, error) {
			return redisNumber(ctx, s, "XLEN", stage.StreamKey)
		}},
		{"pending", 5_000, pendingAll},
		{"spooled", 100, metric(serve, stage.BacklogMetric)},
		{"redis MB", 32, redisMemory},
	}
}

// soak looks at the gauges for as long as it lasts and notes them as a table.
func soak(ctx context.Context, r *Run) error {
	const looks = 30
	deadline, _ := ctx.Deadline()
	all := gauges()
	interval := max(time.Until(deadline)/looks, 200*time.Millisecond)
	begin := time.Now()
	header := "    time"
	for _, g := range all {
		header += " | " + g.name
	}
	table := []string{header}
	samples := make([][]float64, len(all))
	for ctx.Err() == nil {
		line := fmt.Sprintf("    %s", time.Since(begin).Round(time.Second))
		for i, g := range all {
			v, err := g.read(context.WithoutCancel(ctx), r.Stage)
			if err != nil {
				return fmt.Errorf("%s: %w", g.name, err)
			}
			samples[i] = append(samples[i], v)
			line += fmt.Sprintf(" | %.0f", v)
		}
		table = append(table, line)
		// Uneven, or it would keep step with what work does every second.
		pause(ctx, interval*3/4+rand.N(interval/2))
	}
	r.note("soak:\n%s", strings.Join(table, "\n"))
	for i, g := range all {
		if was, is, ok := flat(samples[i], g.slack); !ok {
			r.fail("%s is not flat: %.0f in the second quarter, %.0f in the last", g.name, was, is)
		}
	}
	return nil
}

// flat compares the last quarter with the second one, the first being for
// warming up: a fifth more, and the slack, mean nothing.
func flat(samples []float64, slack float64) (was, is float64, ok bool) {
	n := len(samples)
	if n < 4 {
		return 0, 0, true
	}
	was, is = mean(samples[n/4:n/2]), mean(samples[n-n/4:])
	return was, is, is <= was*1.2+slack
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func openFiles(pid int) float64 {
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return float64(len(files))
}

func redisNumber(ctx context.Context, s *stage.Stage, command ...string) (float64, error) {
	replies, err := stage.Redis(ctx, s.Redis.Addr(), command)
	if err != nil {
		return 0, err
	}
	n, _ := replies[0].(int64)
	return float64(n), nil
}

func pendingAll(ctx context.Context, s *stage.Stage) (float64, error) {
	replies, err := stage.Redis(ctx, s.Redis.Addr(), []string{"XPENDING", stage.StreamKey, stage.Group})
	if err != nil {
		return 0, err
	}
	summary, _ := replies[0].([]any)
	if len(summary) == 0 {
		return 0, nil
	}
	n, _ := summary[0].(int64)
	return float64(n), nil
}

func redisMemory(ctx context.Context, s *stage.Stage) (float64, error) {
	replies, err := stage.Redis(ctx, s.Redis.Addr(), []string{"INFO", "memory"})
	if err != nil {
		return 0, err
	}
	text, _ := replies[0].(string)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			var n float64
			_, err := fmt.Sscan(value, &n)
			return n / megabyte, err
		}
	}
	return 0, fmt.Errorf("INFO memory says nothing of used_memory")
}
