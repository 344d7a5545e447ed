package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/eventpulse/eventpulse/test/bench/measure"
)

// Figure is a line of the result.
type Figure struct {
	Name, Unit string
	Baseline   string // what a ratio is to
	Goal       Goal   // of the ratio, or of the figure itself where there is none
	ratio      bool
}

// Goal is what a figure should be; the zero Goal is none.
type Goal struct {
	kind  string // "≥" or "≤"
	value float64
}

func atLeast(v float64) Goal { return Goal{"≥", v} }
func atMost(v float64) Goal  { return Goal{"≤", v} }

func (g Goal) String() string {
	if g.kind == "" {
		return "–"
	}
	return g.kind + " " + strconv.FormatFloat(g.value, 'f', -1, 64)
}

// met reports whether v is as it should be.
func (g Goal) met(v float64) bool {
	switch g.kind {
	case "≥":
		return v >= g.value
	case "≤":
		return v <= g.value
	}
	return true
}

// Series is a figure over the rounds.
type Series struct {
	Figure
	own, limit, ratios []float64
}

func (s *Series) add(t taken) {
	s.own = append(s.own, t.own)
	if s.ratio {
		s.limit = append(s.limit, t.limit)
		s.ratios = append(s.ratios, t.own/t.limit)
	}
}

// judged is the median that the goal is about.
func (s *Series) judged() float64 {
	if s.ratio {
		return measure.SpreadOf(s.ratios).Median
	}
	return measure.SpreadOf(s.own).Median
}

// result says whether the goal was met; void when not every round counts.
func (s *Series) result(rounds int) string {
	switch {
	case s.Goal.kind == "":
		return "–"
	case len(s.own) < rounds:
		return "**void**"
	case s.Goal.met(s.judged()):
		return "met"
	}
	return "**missed**"
}

// spread writes a median and what it lay between.
func spread(values []float64) string {
	s := measure.SpreadOf(values)
	switch s.N {
	case 0:
		return "–"
	case 1:
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
}

// number writes three digits that count, and thousands whole with commas.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	switch size := math.Abs(v); {
	case size >= 1000:
		return humanize.Comma(int64(math.RoundToEven(v)))
	case size >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}
