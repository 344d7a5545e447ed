package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/test/chaos/load"
	"github.com/eventpulse/eventpulse/test/chaos/verify"
	"github.com/eventpulse/eventpulse/test/harness"
)

// Result is what became of a fault.
type Result struct {
	Fault  Fault
	NotRun string // why it was not, "" when it was

	Injected    load.Span     // on the load's clock
	End         time.Duration // of the load
	All         load.Summary
	During      load.Summary  // from the beginning of the fault to the end
	DuringFault load.Summary  // during the fault
	AfterFault  load.Summary  // after it, once what was done has worn off
	Typical     time.Duration // POST p99: the median over slices of that time
	Skipped     int
	Report      verify.Report
	Fresh       time.Duration // -1: never
	Settled     time.Duration
	Seen        Seen
	DeadLetters int // dead ones

	// Of faults that make events wait.
	Drained Drained       // what waited
	Quiet   time.Duration // from the healing until nothing was on its way

	Table string // in Markdown; none where there is nothing to show
	Notes []string
	Wrong []string
	Dir   string
	Logs  []string
}

// Held reports whether the fault was run and all promises held.
func (r Result) Held() bool { return r.NotRun == "" && len(r.Wrong) == 0 }

// check compares what is stored with what was sent and holds everything seen
// against what is expected.
func (r *Run) check(ctx context.Context, result *Result) {
	deadLetters, err := r.Env.DeadLetters(ctx)
	if err != nil {
		r.fail("%v", err)
	}
	result.DeadLetters = len(deadLetters)
	deadLetters = r.takeDropped(deadLetters)
	report, err := verify.Check(r.Sent, r.Env.Rows(ctx), r.allowed)
	if err != nil {
		r.fail("%v", err)
	}
	result.Report = report
	if !report.OK() {
		r.fail("lost %d, twice %d, altered %d, extra %d:\n    %s",
			report.Lost, report.Twice, report.Altered, report.Extra, strings.Join(report.Examples, "\n    "))
	}
	if n := report.Removed + report.Damaged; n > 0 {
		r.note("%d removed on purpose, %d damaged on disk", report.Removed, report.Damaged)
	}
	for _, what := range compareDeadLetters(deadLetters, r.poison) {
		r.fail("%s", what)
	}
	if len(r.poison) > 0 {
		r.note("%d poison entries, %d dead letters", len(r.poison), len(deadLetters))
	}
	result.Table = r.table
	r.measure(result)
	if fsync := result.Seen.Fsync; fsync > slowDisk {
		r.note("a small fsync took up to %v: the machine was busy, and what follows may be its doing", fsync.Round(time.Millisecond))
	}
	if seen := result.Seen; seen.Spooled > 0 {
		r.note("the spool held up to %d events and was empty %v after the healing", seen.Spooled, seen.Drained.Round(10*time.Millisecond))
	}
	for _, what := range unconditional(*result) {
		r.fail("%s", what)
	}
	if !r.Options.ConservationOnly {
		for _, what := range append(shares(*result), expectations(*result)...) {
			r.fail("%s", what)
		}
	}
	if r.Fault.Outage != nil {
		notes, wrong := judgeOutage(*result)
		for _, what := range notes {
			r.note("%s", what)
		}
		for _, what := range wrong {
			if !r.Options.ConservationOnly {
				r.fail("%s", what)
			}
		}
	}
	if faults := r.Load.Faults(); faults.Count > 0 {
		r.fail("%d answers against the contract:\n    %s", faults.Count, strings.Join(faults.First, "\n    "))
	}
}

// takeDropped enters the events that the database was told to drop as removed,
// for they are dead letters of that reason, and returns the other dead letters.
func (r *Run) takeDropped(all []harness.Entry) (others []harness.Entry) {
	if r.drops == nil {
		return all
	}
	var ids []uuid.UUID
	for _, entry := range all {
		text, _ := entry.Fields["event_id"].(string)
		id, err := uuid.Parse(text)
		if entry.Fields["dlq_reason"] != dropped || err != nil || !r.drops(id) {
			others = append(others, entry)
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		r.fail("no dead letter says that the database dropped its event")
	}
	r.note("%d dead letters of events that the database dropped", len(ids))
	r.forget(ids)
	return others
}

// slowDisk is what is worth a word: the spool gives a write half a second.
const slowDisk = 100 * time.Millisecond

// measure sums up the load.
func (r *Run) measure(result *Result) {
	shots := r.Load.Shots()
	var deaf []load.Span
	if r.Fault.Expect.Deaf {
		deaf = []load.Span{result.Injected}
	}
	result.All = load.Summarize(shots, load.Span{To: result.End}, deaf...)
	result.During = load.Summarize(shots, load.Span{From: result.Injected.From, To: result.End}, deaf...)
	result.Typical = median(load.P99s(shots, load.Span{From: result.Injected.From, To: result.End}, steadySlice))
	result.Skipped = r.Load.Skipped()

	result.DuringFault = load.Summarize(shots, result.Injected)
	result.AfterFault = load.Summarize(shots, load.Span{From: result.Injected.To + healedGrace, To: result.End})
}

// unconditional returns what is wrong however slow the machine is.
func unconditional(r Result) (wrong []string) {
	if r.All.Requests == 0 {
		wrong = append(wrong, "no request was answered at all")
	}
	if r.Fresh < 0 {
		wrong = append(wrong, "a fresh event was not stored at all")
	}
	return wrong
}

// shares returns which shares of the events were accepted too seldom.
func shares(r Result) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if share := r.DuringFault.Share(); share < r.Fault.Expect.Share {
		bad("only %.1f%% of %d events were accepted during the fault, at least %.0f%% should be",
			100*share, r.DuringFault.SentValid(), 100*r.Fault.Expect.Share)
	}
	if r.Fault.Expect.Busy && r.DuringFault.Valid[load.Busy] == 0 {
		bad("nobody was answered 503")
	}
	if share := r.AfterFault.Share(); share < healedShare {
		bad("only %.1f%% of %d events were accepted once it was over", 100*share, r.AfterFault.SentValid())
	}
	return wrong
}

// expectations returns what of the measured is not as it should be.
func expectations(r Result) []string {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	measured, probes, skipped := r.During.P99, 0.0, 0.0
	if r.Fault.Expect.Steady {
		measured, probes, skipped = r.Typical, forgivenProbes, forgivenSkipped
	}
	if measured >= p99Limit {
		bad("POST p99 was %v, should be under %v", measured, p99Limit)
	}
	limit := r.Fault.Expect.Fresh
	if limit == 0 {
		limit = freshLimit
	}
	if r.Fresh > limit {
		bad("a fresh event took %v to be stored, should be at most %v", r.Fresh.Round(time.Millisecond), limit)
	}
	if ready := r.Seen.Ready; r.Fault.Expect.Ready && float64(ready.NotReady) > probes*float64(ready.Asked) {
		bad("serve was not ready %d of %d times, at first: %v", ready.NotReady, ready.Asked, ready.Why)
	}
	if float64(r.Skipped) > skipped*float64(r.All.Sent()) {
		bad("%d events could not be offered: too many requests were waiting", r.Skipped)
	}
	return wrong
}

// compareDeadLetters returns in what the dead letters are not exactly the poison,
// each piece of which carries its token in one of its fields.
func compareDeadLetters(deadLetters []harness.Entry, poisons map[string]poison) []string {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	found := map[string]int{}
	for _, letter := range deadLetters {
		token, ok := tokenOf(letter, poisons)
		if !ok {
			bad("a dead letter that is no poison: %s %v", letter.ID, letter.Fields)
			continue
		}
		found[token]++
		want := poisons[token]
		if reason, code := letter.Fields["dlq_reason"], letter.Fields["dlq_code"]; reason != want.reason || code != want.code {
			bad("%s is a dead letter for %v %v, not for %s %s", token, reason, code, want.reason, want.code)
		}
	}
	for token := range poisons {
		if n := found[token]; n != 1 {
			bad("%s is %d dead letters", token, n)
		}
	}
	const enough = 5
	if n := len(wrong); n > enough {
		wrong = append(wrong[:enough], fmt.Sprintf("and %d more like this", n-enough))
	}
	return wrong
}

// tokenOf finds the token in one of the fields.
func tokenOf(letter harness.Entry, poisons map[string]poison) (string, bool) {
	for _, value := range letter.Fields {
		text, _ := value.(string)
		if start := strings.Index(text, tokenBegin); start >= 0 {
			if end := strings.Index(text[start:], tokenEnd); end >= 0 {
				token := text[start : start+end+len(tokenEnd)]
				_, ok := poisons[token]
				return token, ok
			}
		}
	}
	return "", false
}

// A token stands between these.
const (
	tokenBegin = "<poison "
	tokenEnd   = ">"
)
