package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
)

// Options are what every scenario is run with.
type Options struct {
	Rounds  int
	Seconds int // of one measurement
	Events  int // stored in one measurement
	Rows    int // of a large table
}

func standard() Options { return Options{Rounds: 5, Seconds: 10, Events: 500_000, Rows: 5_000_000} }

func quick() Options { return Options{Rounds: 1, Seconds: 1, Events: 10_000, Rows: 20_000} }

func (o Options) validate() error {
	if o.Rounds < 1 || o.Seconds < 1 || o.Events < 1000 || o.Rows < 1000 {
		return errors.New("--rounds and --seconds are at least 1, --events and --rows at least 1000")
	}
	return nil
}

// span is how long a measurement takes.
func (o Options) span() time.Duration { return time.Duration(o.Seconds) * time.Second }

// Scenario is something to measure.
type Scenario struct {
	Name, What string
	// Begin makes what all rounds share, which ends with the scenario, and
	// returns what is done in each round. A round's error makes it void.
	Begin func(ctx context.Context, e *Setup) (round func(ctx context.Context, r *Round) error, err error)
}

// scenarios returns all there are, in the order they are run in.
func scenarios() []Scenario {
	return []Scenario{
		{"single", "one event a request, by a bare net/http server", single},
		{"batch", "100 events a request, by redis-benchmark XADD", batch},
		{"drain", "a full stream into the table by one work, by \\copy", drain(0, everySecond)},
		{"drain-5%", "the same, of which 5% are stored already", drain(0.05, everySecond)},
		{"e2e", "everything at once, at the highest rate that keeps the backlog flat, by \\copy", endToEnd(everySecond)},
		{"drain-always", "drain, with appendfsync always as compose.yaml has it: XREADGROUP and XACK wait for the disk too", drain(0, always)},
		{"e2e-always", "e2e, with appendfsync always", endToEnd(always)},
		{"latency", "1,000 events a second, one a request: until answered, and until visible", latency},
		{"always", "appendfsync always, by everysec", alwaysSynced},
		{"memory", "memory while busy and idle, processor time while idle, time to be ready", memory},
		{"growth-table", "cost of an event in a large table, by an empty one", growthTable},
		{"growth-batch", "cost of an event in requests of 1, 10, 100 and 500", growthBatch},
		{"growth-payload", "cost of an event with payloads of 100 B to 64 KB", growthPayload},
		{"growth-workers", "a full stream into the table by 1 to 4 works", growthWorkers},
		{"parse", "reading one event from JSON", parseEvent},
	}
}

// choose returns the scenarios that any of the patterns names.
func choose(all []Scenario, patterns string) ([]Scenario, error) {
	var chosen []Scenario
	used := map[string]bool{}
	for _, s := range all {
		taken := false
		for p := range strings.SplitSeq(patterns, ",") {
			p = strings.TrimSpace(p)
			match, err := path.Match(p, s.Name)
			if err != nil {
				return nil, fmt.Errorf("--run %q: %w", p, err)
			}
			used[p] = used[p] || match
			taken = taken || match
		}
		if taken {
			chosen = append(chosen, s)
		}
	}
	for p, match := range used {
		if !match {
			return nil, fmt.Errorf("--run %q is no scenario, see --list", p)
		}
	}
	return chosen, nil
}

// Setup is what the rounds of a scenario share.
type Setup struct {
	Options
	Programs env.Programs
	Dir      string // removed with the scenario
	cleanups []func() error
}

// Environment returns one that lives as long as the scenario.
func (e *Setup) Environment() (*env.Environment, error) {
	r, err := env.New(e.Programs, e.Dir)
	if err == nil {
		e.cleanups = append(e.cleanups, r.Close)
	}
	return r, err
}

// WithEnvironment runs f with an environment of its own.
func (e *Setup) WithEnvironment(f func(r *env.Environment) error) error {
	r, err := env.New(e.Programs, e.Dir)
	if err != nil {
		return err
	}
	return errors.Join(f(r), r.Close())
}

// Round is one of the rounds of a scenario.
type Round struct {
	Number int // from 0
	taken  []taken
}

// taken is one figure of one round.
type taken struct {
	figure Figure
	own    float64
	limit  float64 // when the figure is a ratio
}

// Compare notes our own figure and the limit it is measured by.
func (r *Round) Compare(f Figure, own, limit float64) {
	f.ratio = true
	r.taken = append(r.taken, taken{figure: f, own: own, limit: limit})
}

// Note notes a figure that is measured by nothing else.
func (r *Round) Note(f Figure, own float64) {
	r.taken = append(r.taken, taken{figure: f, own: own})
}

// InTurn runs both, one first in even rounds and the other in odd ones, so
// that neither always has what the other leaves behind.
func (r *Round) InTurn(one, other func() error) error {
	if r.Number%2 == 1 {
		one, other = other, one
	}
	if err := one(); err != nil {
		return err
	}
	return other()
}
