package main

import (
	"fmt"
	"strings"
)

// markdown writes the results as a table and what was wrong below it.
func markdown(results []Result) string {
	var b strings.Builder
	b.WriteString("| scenario | figure | unit | EventPulse | limit | | ratio | goal | result |\n")
	b.WriteString("|---|---|---|--:|--:|---|--:|--:|---|\n")
	for _, r := range results {
		name := r.Scenario.Name
		for _, s := range r.Series {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, s.Name, s.Unit,
				spread(s.own), spread(s.limit), s.Baseline, spread(s.ratios), s.Goal, s.result(r.Rounds))
			name = ""
		}
		if len(r.Series) == 0 {
			fmt.Fprintf(&b, "| %s | | | | | | | | **void** |\n", name)
		}
	}
	b.WriteString("\nMedian (min–max) over the rounds; a ratio is taken in each round, EventPulse to the limit of that round.\n")
	for _, r := range results {
		for _, wrong := range r.Wrong {
			fmt.Fprintf(&b, "\n%s: %s\n", r.Scenario.Name, wrong)
		}
	}
	return b.String()
}
