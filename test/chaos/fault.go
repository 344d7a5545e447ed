package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/load"
)

// Fault is one row of the matrix.
type Fault struct {
	Name string
	What string // is done, and to whom

	// Env and Load change what the fault is run on, when set.
	Env  func(*env.Config)
	Load func(*load.Config, *load.Maker)
	// Window is how long the fault lasts when the run is a full one. Zero is
	// most of the load.
	Window time.Duration
	// Inject injects the fault, waits until its context ends and heals. An error is
	// a failure: the fault could not be done, or something looked at meanwhile
	// was wrong.
	Inject func(context.Context, *Run) error

	Expect Expect
	// Outage, when set, is what is expected of what has to wait.
	Outage *Outage
}

// Expect is what must be seen on top of what every fault is held to.
type Expect struct {
	// Share is the least share of valid events accepted during the fault.
	Share float64
	// Busy: some must have been answered 503 during the fault.
	Busy bool
	// Ready: serve must be ready all the time, or soon and until it dies where
	// it is killed.
	Ready bool
	// Deaf: serve cannot answer during the fault, because of what is done to it
	// and not because of how it takes that, so POST is not timed then.
	Deaf bool
	// Steady: a bad moment of the machine is forgiven, because nothing is done
	// that could cause one: POST is held to its limit by what it typically
	// takes, and a few probes may fail and a few events not be offered.
	Steady bool
	// Fresh is the longest that an event posted after the healing may take to
	// be stored; zero is freshLimit.
	Fresh time.Duration
}

// What every fault is held to.
const (
	freshLimit  = 10 * time.Second
	p99Limit    = time.Second
	stopLimit   = 15 * time.Second
	settleLimit = 2 * time.Minute
	// What is steady is looked at in slices, and so much of it is forgiven:
	// shares of the probes, and of the events.
	steadySlice     = 10 * time.Second
	forgivenProbes  = 0.01
	forgivenSkipped = 0.05
	// healedShare is the share accepted once healed, healedGrace later.
	healedShare = 0.99
	healedGrace = 3 * time.Second
)

// Shares accepted during the fault.
const (
	nearlyAll = 0.99 // serve is up
	most      = 0.5  // serve dies again and again
	some      = 0.1  // serve is away for most of the time
	few       = 0.05 // serve is full for most of the time
	none      = 0
)

// matrix returns every fault.
func matrix() []Fault {
	return slices.Concat(serveFaults(), spoolFaults(), redisFaults(), redisStateFaults(), workFaults(), poisonFaults(), postgresFaults(), postgresStateFaults(), logFaults(), allFaults())
}

// choose returns the faults whose names match one of the patterns, separated
// by commas, in the order of the matrix.
func choose(faults []Fault, patterns string) ([]Fault, error) {
	wanted := make([]bool, len(faults))
	for pattern := range strings.SplitSeq(patterns, ",") {
		matched := false
		for i, f := range faults {
			ok, err := path.Match(strings.TrimSpace(pattern), f.Name)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", pattern, err)
			}
			matched, wanted[i] = matched || ok, wanted[i] || ok
		}
		if !matched {
			return nil, fmt.Errorf("no fault is called %q; --list shows them", pattern)
		}
	}
	var chosen []Fault
	for i, f := range faults {
		if wanted[i] {
			chosen = append(chosen, f)
		}
	}
	return chosen, nil
}
