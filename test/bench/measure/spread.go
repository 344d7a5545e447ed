// Package measure takes measurements: it runs the tools that make load or
// show what a machine can do, reads what they print, and sums it up.
package measure

import "slices"

// Spread is how a figure lay over the rounds.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// SpreadOf sums up values, of which there may be none.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], N: n}
}

// Mean returns the mean of values, 0 when there are none.
func Mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
