package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/stage"
	"github.com/eventpulse/eventpulse/test/chaos/traffic"
	"github.com/eventpulse/eventpulse/test/chaos/verdict"
)

// Result is what became of a fault.
type Result struct {
	Fault  Fault
	NotRun string // why it was not, "" when it was

	Harm    traffic.Span  // on the load's clock
	End     time.Duration // of the load
	All     traffic.Summary
	During  traffic.Summary // from the beginning of the harm to the end
	Skipped int
	Report  verdict.Report
	Fresh   time.Duration // -1: never
	Settled time.Duration
	Seen    Seen

	Notes []string
	Wrong []string
	Dir   string
	Logs  []string
}

// Sound reports whether the fault was run and all promises held.
func (r Result) Sound() bool { return r.NotRun == "" && len(r.Wrong) == 0 }

// check compares what is stored with what was sent and holds everything seen
// against what is expected.
func (r *Run) check(ctx context.Context, result *Result) {
	report, err := verdict.Check(r.Ledger, r.Stage.Rows(ctx), r.allowed)
	if err != nil {
		r.fail("%v", err)
	}
	result.Report = report
	if !report.Sound() {
		r.fail("lost %d, twice %d, altered %d, extra %d:\n    %s",
			report.Lost, report.Twice, report.Altered, report.Extra, strings.Join(report.Examples, "\n    "))
	}
	if n := report.Forgotten + report.Damaged; n > 0 {
		r.note("%d forgotten by Redis as told, %d damaged on disk", report.Forgotten, report.Damaged)
	}
	if letters, err := r.Stage.DeadLetters(ctx); err != nil {
		r.fail("%v", err)
	} else {
		for _, what := range compareLetters(letters, r.poison) {
			r.fail("%s", what)
		}
		if len(r.poison) > 0 {
			r.note("%d poison entries, %d dead letters", len(r.poison), len(letters))
		}
	}
	r.measure(result)
	if fsync := result.Seen.Fsync; fsync > slowDisk {
		r.note("a small fsync took up to %v: the machine was busy, and what follows may be its doing", fsync.Round(time.Millisecond))
	}
	if seen := result.Seen; seen.Spooled > 0 {
		r.note("the spool held up to %d events and was empty %v after the healing", seen.Spooled, seen.Drained.Round(10*time.Millisecond))
	}
	for _, what := range expectations(*result, r.Options.P99) {
		r.fail("%s", what)
	}
	if faults := r.Load.Faults(); faults.Count > 0 {
		r.fail("%d answers against the contract:\n    %s", faults.Count, strings.Join(faults.First, "\n    "))
	}
}

// slowDisk is what is worth a word: the spool gives a write half a second.
const slowDisk = 100 * time.Millisecond

// measure sums up the load.
func (r *Run) measure(result *Result) {
	shots := r.Load.Shots()
	var deaf []traffic.Span
	now, wall := r.Load.Now(), time.Now()
	for _, d := range r.Stage.Deaf() {
		deaf = append(deaf, traffic.Span{From: now - wall.Sub(d.From), To: now - wall.Sub(d.To)})
	}
	result.All = traffic.Summarize(shots, traffic.Span{To: result.End}, deaf...)
	result.During = traffic.Summarize(shots, traffic.Span{From: result.Harm.From, To: result.End}, deaf...)
	result.Skipped = r.Load.Skipped()

	harmed := traffic.Summarize(shots, result.Harm)
	if share := harmed.Share(); share < r.Fault.Expect.Share {
		r.fail("only %.1f%% of %d events were accepted during the harm, at least %.0f%% should be",
			100*share, harmed.SentValid(), 100*r.Fault.Expect.Share)
	}
	if r.Fault.Expect.Busy && harmed.Valid[traffic.Busy] == 0 {
		r.fail("nobody was answered 503")
	}
	healed := traffic.Summarize(shots, traffic.Span{From: result.Harm.To + healedGrace, To: result.End})
	if share := healed.Share(); share < healedShare {
		r.fail("only %.1f%% of %d events were accepted once it was over", 100*share, healed.SentValid())
	}
}

// expectations returns what of the measured is not as it should be; POST is
// to stay under p99.
func expectations(r Result, p99 time.Duration) []string {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if r.During.Requests == 0 {
		bad("no request was answered at all")
	}
	if r.During.P99 >= p99 {
		bad("POST p99 was %v, should be under %v", r.During.P99, p99)
	}
	limit := r.Fault.Expect.Fresh
	if limit == 0 {
		limit = freshLimit
	}
	switch {
	case r.Fresh < 0:
		bad("a fresh event was not stored at all")
	case r.Fresh > limit:
		bad("a fresh event took %v to be stored, should be at most %v", r.Fresh.Round(time.Millisecond), limit)
	}
	if r.Fault.Expect.Ready && r.Seen.NotReady > 0 {
		bad("serve was not ready %d of %d times", r.Seen.NotReady, r.Seen.Asked)
	}
	if r.Skipped > 0 {
		bad("%d events could not be offered: too many requests were waiting", r.Skipped)
	}
	return wrong
}

// compareLetters returns in what the dead letters are not exactly the poison,
// each piece of which carries its token in one of its fields.
func compareLetters(letters []stage.Entry, poisons map[string]poison) []string {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	found := map[string]int{}
	for _, letter := range letters {
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
func tokenOf(letter stage.Entry, poisons map[string]poison) (string, bool) {
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
