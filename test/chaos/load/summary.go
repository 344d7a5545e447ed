package load

import (
	"maps"
	"slices"
	"time"
)

// Span is a span of the load's time.
type Span struct{ From, To time.Duration }

// Summary is what became of requests.
type Summary struct {
	// Events of requests with each [Outcome], the invalid ones apart.
	Valid, Invalid [outcomes]int
	// How long requests took that had an answer or waited for one in vain.
	P50, P99, Max time.Duration
	Requests      int
}

// Sent returns the events that were sent, or tried to be, invalid ones too.
func (s Summary) Sent() int { return s.SentValid() + sum(s.Invalid) }

// SentValid returns the valid ones among them.
func (s Summary) SentValid() int { return sum(s.Valid) }

// Share returns how many of the valid events were accepted, 0 to 1; 1 when
// there were none.
func (s Summary) Share() float64 {
	if s.SentValid() == 0 {
		return 1
	}
	return float64(s.Valid[Accepted]) / float64(s.SentValid())
}

func sum(counts [outcomes]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// Summarize looks at the shots that began within the span. The times of those
// that overlap one of the deaf spans, in which nobody could have answered, are
// left out, and so are those of which nothing was sent.
func Summarize(shots []Shot, within Span, deaf ...Span) Summary {
	var s Summary
	var times []time.Duration
	for _, shot := range shots {
		if shot.At < within.From || shot.At > within.To {
			continue
		}
		if shot.Invalid {
			s.Invalid[shot.Outcome] += int(shot.Events)
		} else {
			s.Valid[shot.Outcome] += int(shot.Events)
		}
		overlaps := func(d Span) bool { return shot.At < d.To && shot.At+shot.Took > d.From }
		if shot.Outcome != Unsent && !slices.ContainsFunc(deaf, overlaps) {
			times = append(times, shot.Took)
		}
	}
	s.Requests = len(times)
	if len(times) > 0 {
		slices.Sort(times)
		s.P50, s.P99, s.Max = percentile(times, 50), percentile(times, 99), times[len(times)-1]
	}
	return s
}

// P99s cuts the span into slices and returns the p99 of the shots that began
// in each, those of nothing sent left out, and slices without any.
func P99s(shots []Shot, within Span, slice time.Duration) []time.Duration {
	times := map[time.Duration][]time.Duration{}
	for _, shot := range shots {
		if shot.At >= within.From && shot.At <= within.To && shot.Outcome != Unsent {
			n := (shot.At - within.From) / slice
			times[n] = append(times[n], shot.Took)
		}
	}
	var p99s []time.Duration
	for _, n := range slices.Sorted(maps.Keys(times)) {
		slices.Sort(times[n])
		p99s = append(p99s, percentile(times[n], 99))
	}
	return p99s
}

// percentile of sorted times, of which there is at least one.
func percentile(times []time.Duration, p int) time.Duration {
	return times[min(len(times)*p/100, len(times)-1)]
}
