package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
)

// Result is what came of a scenario.
type Result struct {
	Scenario Scenario
	Rounds   int // that there should be
	Series   []*Series
	Wrong    []string
}

// perform runs a scenario, and says on out what each round showed.
func perform(ctx context.Context, s Scenario, o Options, programs env.Programs, dir string, out io.Writer) (result Result) {
	result = Result{Scenario: s, Rounds: o.Rounds}
	fail := func(format string, args ...any) {
		result.Wrong = append(result.Wrong, fmt.Sprintf(format, args...))
		fmt.Fprintf(out, "  ! "+format+"\n", args...)
	}
	fmt.Fprintf(out, "\n%s: %s\n", s.Name, s.What)
	own, err := os.MkdirTemp(dir, "scenario-")
	if err == nil {
		err = os.Chmod(own, 0o711) // PostgreSQL's user passes
	}
	if err != nil {
		fail("%v", err)
		return result
	}
	setup := &Setup{Options: o, Programs: programs, Dir: own}
	defer func() {
		if err := setup.close(); err != nil {
			fail("clean up: %v", err)
		}
	}()
	// A round that hangs must end: this is several times what one takes.
	limit := 5*time.Minute + 60*o.span()
	beginning, cancel := context.WithTimeout(ctx, limit)
	round, err := s.Begin(beginning, setup)
	cancel()
	if err != nil {
		fail("begin: %v", err)
		return result
	}
	for i := range o.Rounds {
		if ctx.Err() != nil {
			break
		}
		r := &Round{Number: i}
		begin := time.Now()
		rounding, cancel := context.WithTimeout(ctx, limit)
		err := round(rounding, r)
		cancel()
		fmt.Fprintf(out, "  round %d of %d, %.0f s\n", i+1, o.Rounds, time.Since(begin).Seconds())
		if err != nil {
			fail("round %d is void: %v", i+1, err)
			continue
		}
		for _, t := range r.taken {
			result.add(t)
			fmt.Fprintln(out, "    "+t.String())
		}
	}
	return result
}

func (e *Setup) close() error {
	var errs []error
	for _, f := range slices.Backward(e.cleanups) {
		errs = append(errs, f())
	}
	return errors.Join(append(errs, os.RemoveAll(e.Dir))...)
}

func (t taken) String() string {
	line := fmt.Sprintf("%s: %s %s", t.figure.Name, number(t.own), t.figure.Unit)
	if t.figure.ratio {
		line += fmt.Sprintf(", %s %s: %s", t.figure.Baseline, number(t.limit), number(t.own/t.limit))
	}
	return line
}

func (r *Result) add(t taken) {
	i := slices.IndexFunc(r.Series, func(s *Series) bool { return s.Name == t.figure.Name })
	if i < 0 {
		i = len(r.Series)
		r.Series = append(r.Series, &Series{Figure: t.figure})
	}
	r.Series[i].add(t)
}

// allMet reports whether every goal was met and every round counts.
func allMet(results []Result) bool {
	for _, r := range results {
		if len(r.Wrong) > 0 {
			return false
		}
		for _, s := range r.Series {
			if v := s.result(r.Rounds); v != "met" && v != "–" {
				return false
			}
		}
	}
	return true
}
