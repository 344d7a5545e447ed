package measure

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/process"
)

// RedisBenchmark is how fast a Redis takes one command, from redis-benchmark
// with 32 connections and 128 commands in flight on each.
type RedisBenchmark struct {
	Addr     string
	Command  []string
	Duration time.Duration // about
}

// Run returns the commands per second.
func (b RedisBenchmark) Run(ctx context.Context) (float64, error) {
	const grace = time.Minute
	ctx, cancel := context.WithTimeout(ctx, 2*b.Duration+grace)
	defer cancel()
	// It counts commands and not time, so a first look finds out how many.
	const look = 50_000
	rate, err := b.count(ctx, look)
	if err != nil {
		return 0, err
	}
	return b.count(ctx, max(look, int(rate*b.Duration.Seconds())))
}

func (b RedisBenchmark) count(ctx context.Context, commands int) (float64, error) {
	host, port, err := net.SplitHostPort(b.Addr)
	if err != nil {
		return 0, fmt.Errorf("redis-benchmark: %w", err)
	}
	argv := append([]string{
		"redis-benchmark", "-h", host, "-p", port, "-c", "32", "-P", "128", "-n", strconv.Itoa(commands), "--csv",
	}, b.Command...)
	out, err := process.Output(ctx, argv...)
	if err != nil {
		return 0, err
	}
	return parseRedisBenchmark(string(out))
}

// parseRedisBenchmark reads the last line of its CSV: the command, whose own
// quotes are not doubled, its rate, and six latencies.
func parseRedisBenchmark(out string) (float64, error) {
	const behind = 7
	lines := strings.Split(strings.TrimSpace(out), "\n")
	fields := strings.Split(lines[len(lines)-1], `","`)
	if len(fields) <= behind {
		return 0, fmt.Errorf("redis-benchmark printed no figures: %q", out)
	}
	rate, err := strconv.ParseFloat(fields[len(fields)-behind], 64)
	if err != nil {
		return 0, fmt.Errorf("redis-benchmark printed %q: %w", out, err)
	}
	return rate, nil
}
