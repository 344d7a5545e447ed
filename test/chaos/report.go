package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/load"
)

// columns are the figures of a row, in order.
var columns = []struct {
	name  string
	width int
	value func(Result) string
}{
	{"sent", 7, func(r Result) string { return number(r.All.Sent()) }},
	{"202", 7, count(load.Accepted)},
	{"4xx", 5, count(load.Rejected)},
	{"503", 6, count(load.Busy)},
	{"unclear", 7, count(load.Unclear)},
	{"unsent", 6, count(load.Unsent)},
	{"accepted", 8, func(r Result) string { return number(r.Report.Accepted) }},
	{"stored", 7, func(r Result) string { return number(r.Report.Stored) }},
	{"lost", 4, func(r Result) string { return number(r.Report.Lost) }},
	{"twice", 5, func(r Result) string { return number(r.Report.Twice) }},
	{"altered", 7, func(r Result) string { return number(r.Report.Altered) }},
	{"extra", 5, func(r Result) string { return number(r.Report.Extra) }},
	{"p50", 7, func(r Result) string { return millis(r.During.P50) }},
	{"p99", 7, func(r Result) string { return millis(r.During.P99) }},
	{"max", 7, func(r Result) string { return millis(r.During.Max) }},
	{"fresh", 7, func(r Result) string { return millis(r.Fresh) }},
	{"settled", 7, func(r Result) string { return fmt.Sprintf("%.1fs", r.Settled.Seconds()) }},
	{"MB", 7, func(r Result) string { return fmt.Sprintf("%d/%d", r.Seen.ServeBytes>>20, r.Seen.WorkBytes>>20) }},
}

const nameWidth = 30

func count(o load.Outcome) func(Result) string {
	return func(r Result) string { return number(r.All.Valid[o] + r.All.Invalid[o]) }
}

func number(n int) string { return fmt.Sprint(n) }

func millis(d time.Duration) string {
	switch {
	case d < 0:
		return "never"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// legend says what the columns are.
const legend = `sent, 202, 4xx, 503, unclear (no answer), unsent (no connection): events as
posted, those posted again counted again; invalid ones are among sent and 4xx.
accepted: different events with a 202. lost: accepted and not stored. twice:
stored under two ids. altered: stored otherwise than sent. extra: stored, and
never sent or refused. p50, p99, max: of POST from the beginning of the fault to
the end of the load. fresh: from the healing until an event posted then is in
the table. settled: from the end of the load until nothing is on its way. MB:
most memory of serve and of work.`

func headLine() string {
	line := fmt.Sprintf("%-*s %-4s", nameWidth, "fault", "")
	for _, c := range columns {
		line += fmt.Sprintf(" %*s", c.width, c.name)
	}
	return line
}

func (r Result) status() string {
	switch {
	case r.NotRun != "":
		return "N/A"
	case r.Held():
		return "ok"
	}
	return "FAIL"
}

// line is the row for the terminal.
func (r Result) line() string {
	line := fmt.Sprintf("%-*s %-4s", nameWidth, r.Fault.Name, r.status())
	if r.NotRun != "" {
		return line + " NOT RUN: " + r.NotRun
	}
	for _, c := range columns {
		line += fmt.Sprintf(" %*s", c.width, c.value(r))
	}
	return line
}

// details are what is to be said on top of the row.
func (r Result) details() string {
	var b strings.Builder
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "  - %s\n", note)
	}
	for _, wrong := range r.Wrong {
		fmt.Fprintf(&b, "  ! %s\n", wrong)
	}
	if r.Table != "" {
		b.WriteString("\n" + r.Table + "\n")
	}
	return b.String()
}

// logTails shows the end of what everybody said.
func (r Result) logTails() string {
	const lines = 25
	var b strings.Builder
	for _, path := range r.Logs {
		fmt.Fprintf(&b, "  ---- %s\n%s\n", path, tailOf(path, lines))
	}
	return b.String()
}

// markdown writes the whole run as a document.
func markdown(results []Result, about, summary string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Faults and what was seen\n\n%s\n\n%s\n\n| fault | what is done |", about, summary)
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString(" result |\n|---|---|" + strings.Repeat("--:|", len(columns)) + "---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s |", r.Fault.Name, r.Fault.What)
		for _, c := range columns {
			value := c.value(r)
			if r.NotRun != "" {
				value = ""
			}
			fmt.Fprintf(&b, " %s |", value)
		}
		fmt.Fprintf(&b, " %s |\n", r.status())
	}
	fmt.Fprintf(&b, "\n%s\n", legend)
	for _, r := range results {
		if r.NotRun != "" {
			fmt.Fprintf(&b, "\n%s was not run: %s\n", r.Fault.Name, r.NotRun)
		}
		if text := r.details(); text != "" {
			fmt.Fprintf(&b, "\n%s:\n\n%s", r.Fault.Name, strings.ReplaceAll(text, "  ! ", "  - **wrong**: "))
		}
	}
	return b.String()
}

// summarize says how it went, and whether it went well. What was not run is
// said, and does not count as held.
func summarize(results []Result) (text string, ok bool) {
	var sound, failed, notRun []string
	accepted := 0
	for _, r := range results {
		accepted += r.Report.Accepted
		switch {
		case r.NotRun != "":
			notRun = append(notRun, r.Fault.Name)
		case r.Held():
			sound = append(sound, r.Fault.Name)
		default:
			failed = append(failed, r.Fault.Name)
		}
	}
	text = fmt.Sprintf("%d of %d faults held, %d events accepted.", len(sound), len(results), accepted)
	if len(failed) > 0 {
		text += " FAILED: " + strings.Join(failed, ", ") + "."
	}
	if len(notRun) > 0 {
		text += " NOT RUN: " + strings.Join(notRun, ", ") + "."
	}
	return text, len(failed) == 0 && len(sound) > 0
}
