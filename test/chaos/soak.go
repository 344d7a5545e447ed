package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	soakLooks = 240             // or as many as the longest interval takes
	soakLines = 20              // of the table, but for its head and its foot
	soakSlice = 5 * time.Second // the longest between two looks
)

// look is what a gauge showed at a moment.
type look struct {
	at    time.Duration
	value float64
}

// soak looks at the gauges for as long as it lasts, shows them as a table, and
// says which of them grow. A look in vain is a gap: the machine may have been
// busy. Too many of them are a failure.
func soak(ctx context.Context, r *Run) error {
	deadline, _ := ctx.Deadline()
	total := time.Until(deadline)
	interval := min(max(total/soakLooks, 200*time.Millisecond), soakSlice)
	all := gauges()
	series := make([][]look, len(all))
	looks, begin := 0, time.Now()
	var lastErr error
	for ctx.Err() == nil {
		looks++
		for i, g := range all {
			v, err := g.read(context.WithoutCancel(ctx), r.Env)
			if err != nil {
				lastErr = fmt.Errorf("%s: %w", g.name, err)
				continue
			}
			series[i] = append(series[i], look{min(time.Since(begin), total-1), v})
		}
		// Uneven, or it would keep step with what work does every second.
		pause(ctx, interval*3/4+rand.N(interval/2))
	}
	r.table = soakTable(all, series, total)
	for i, g := range all {
		if seen := len(series[i]); seen < looks*9/10 {
			r.fail("%s was seen at %d of %d looks: %v", g.name, seen, looks, lastErr)
		}
		if f := flatness(series[i], total); f.growth() > g.slack {
			r.fail("%s is not flat: seldom under %.0f in the second quarter, and under %.0f in the last; %.0f more mean nothing", g.name, f.was, f.is, g.slack)
		}
	}
	return nil
}

// flat is what a gauge seldom fell below in the second quarter of the time and
// in the last one, the first being for warming up. A leak raises that; a spike
// does not, nor a busy machine in one of them, nor the saw-tooth of what fills
// and is emptied.
type flat struct{ was, is float64 }

func (f flat) growth() float64 { return f.is - f.was }

// quartile of values, the lower one, 0 of none.
func quartile(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/4]
}

func flatness(series []look, total time.Duration) flat {
	was, is := between(series, total/4, total/2), between(series, total*3/4, total)
	if len(was) == 0 || len(is) == 0 {
		return flat{}
	}
	return flat{quartile(was), quartile(is)}
}

// between returns the values seen from one moment until before another.
func between(series []look, from, to time.Duration) (values []float64) {
	for _, l := range series {
		if l.at >= from && l.at < to {
			values = append(values, l.value)
		}
	}
	return values
}

// soakTable shows the gauges as a Markdown table: medians of equal stretches of
// the time, and below them the most that was seen and what is judged: what it
// was over in three quarters of the looks.
func soakTable(all []gauge, series [][]look, total time.Duration) string {
	rows := [][]string{{"until"}, {"---"}}
	for _, g := range all {
		rows[0] = append(rows[0], g.name)
		rows[1] = append(rows[1], "--:")
	}
	row := func(name string, value func(int) (float64, bool)) {
		cells := []string{name}
		for i := range all {
			cell := ""
			if v, ok := value(i); ok {
				cell = fmt.Sprintf("%.0f", v)
			}
			cells = append(cells, cell)
		}
		rows = append(rows, cells)
	}
	edge := func(n int) time.Duration { return total / soakLines * time.Duration(n) }
	for n := range soakLines {
		from, to := edge(n), edge(n+1)
		row(to.Round(time.Second).String(), func(i int) (float64, bool) {
			values := between(series[i], from, to)
			return median(values), len(values) > 0
		})
	}
	row("most", func(i int) (most float64, ok bool) {
		for _, l := range series[i] {
			most = max(most, l.value)
		}
		return most, len(series[i]) > 0
	})
	row("judged early", func(i int) (float64, bool) { return flatness(series[i], total).was, true })
	row("judged late", func(i int) (float64, bool) { return flatness(series[i], total).is, true })
	row("may grow by", func(i int) (float64, bool) { return all[i].slack, true })
	return aligned(rows)
}

// aligned writes rows as lines of cells of equal width. The second is a rule.
func aligned(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for n, cells := range rows {
		for i, cell := range cells {
			filling := strings.Repeat(" ", widths[i]-len(cell))
			switch {
			case n == 1:
				cell = strings.Repeat("-", len(filling)) + cell
			case i == 0:
				cell += filling
			default:
				cell = filling + cell
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}
