package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/harness"
)

// gauge is something that must not grow with time.
type gauge struct {
	name string
	// slack is growth that means nothing. For memory it is less than a leak of
	// a megabyte a minute takes in half an hour of which a half is looked at.
	slack float64
	read  reading
}

const megabyte = 1 << 20

// reading reads a gauge.
type reading = func(context.Context, *env.Environment) (float64, error)

func gauges() []gauge {
	ofProcess := func(who func(*env.Environment) *env.Child, read func(pid int) float64) reading {
		return func(_ context.Context, e *env.Environment) (float64, error) { return read(who(e).PID()), nil }
	}
	megabytes := func(pid int) float64 { return float64(memory(pid)) / megabyte }
	metric := func(admin func(*env.Environment) string, name string) reading {
		return func(ctx context.Context, e *env.Environment) (float64, error) {
			v, _, err := env.Metric(ctx, admin(e), name)
			return v, err
		}
	}
	// Producers open as many connections as they like, each of which is a file
	// and a goroutine until they close it.
	butConnections := func(read reading) reading {
		return func(ctx context.Context, e *env.Environment) (float64, error) {
			all, err := read(ctx, e)
			if err != nil {
				return 0, err
			}
			connections, _, err := env.Metric(ctx, e.ServeAdmin, "eventpulse_httpserver_connections")
			return max(0, all-connections), err
		}
	}
	serve := func(e *env.Environment) string { return e.ServeAdmin }
	work := func(e *env.Environment) string { return e.WorkAdmin[0] }
	return []gauge{
		{"serve MB", 12, ofProcess(serveOf, megabytes)},
		{"work MB", 12, ofProcess(workOf, megabytes)},
		{"serve goroutines", 50, butConnections(metric(serve, "go_goroutines"))},
		{"work goroutines", 50, metric(work, "go_goroutines")},
		{"serve files", 50, butConnections(ofProcess(serveOf, openFiles))},
		{"work files", 50, ofProcess(workOf, openFiles)},
		{"stream", 20_000, func(ctx context.Context, e *env.Environment) (float64, error) {
			return redisNumber(ctx, e, "XLEN", harness.StreamKey)
		}},
		{"pending", 5_000, pendingAll},
		{"spooled", 100, metric(serve, env.BacklogMetric)},
		{"redis MB", 12, redisMemory},
	}
}

func openFiles(pid int) float64 {
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return float64(len(files))
}

func redisNumber(ctx context.Context, e *env.Environment, command ...string) (float64, error) {
	replies, err := harness.Redis(ctx, e.Redis.Addr(), command)
	if err != nil {
		return 0, err
	}
	n, _ := replies[0].(int64)
	return float64(n), nil
}

func pendingAll(ctx context.Context, e *env.Environment) (float64, error) {
	replies, err := harness.Redis(ctx, e.Redis.Addr(), []string{"XPENDING", harness.StreamKey, harness.Group})
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

func redisMemory(ctx context.Context, e *env.Environment) (float64, error) {
	replies, err := harness.Redis(ctx, e.Redis.Addr(), []string{"INFO", "memory"})
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
