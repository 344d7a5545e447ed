package main

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const soakTime = 30 * time.Minute

// seriesOf samples f, of minutes, every five seconds of half an hour.
func seriesOf(f func(minute float64) float64) (series []look) {
	for at := time.Duration(0); at < soakTime; at += 5 * time.Second {
		series = append(series, look{at, f(at.Minutes())})
	}
	return series
}

func memorySlack(t *testing.T) float64 {
	t.Helper()
	for _, g := range gauges() {
		if g.name == "serve MB" {
			return g.slack
		}
	}
	t.Fatal("memory is not among the gauges")
	return 0
}

func TestOnlyLeaksAreNotFlat(t *testing.T) {
	slack := memorySlack(t)
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func() float64 { return rng.NormFloat64() * 6 }
	within := func(minute, from, to float64) bool { return minute >= from && minute < to }
	for name, f := range map[string]func(float64) float64{
		"level":               func(float64) float64 { return 40 },
		"noise":               func(float64) float64 { return 40 + noise() },
		"growth at the start": func(m float64) float64 { return 20 + 80*(1-math.Exp(-m)) },
		"a spike":             func(m float64) float64 { return map[bool]float64{true: 900, false: 40}[within(m, 25, 25.5)] },
		"a spike for minutes": func(m float64) float64 { return map[bool]float64{true: 200, false: 40}[within(m, 23, 26)] },
		"trimmed every 20 s":  func(m float64) float64 { return 40 + 100*math.Mod(3*m, 1) },
		"trimmed every 70 s":  func(m float64) float64 { return 40 + 100*math.Mod(m/1.17, 1) },
		"busy half of the end": func(m float64) float64 {
			return map[bool]float64{true: 110, false: 60}[m > 22 && math.Mod(m, 2) > 0.8]
		},
		"shrinking":            func(m float64) float64 { return 100 - m },
		"less than can matter": func(m float64) float64 { return 40 + m/3 },
	} {
		f := flatness(seriesOf(f), soakTime)
		require.LessOrEqual(t, f.growth(), slack, "%s: %+v", name, f)
	}
	for name, f := range map[string]func(float64) float64{
		"a leak":                   func(m float64) float64 { return 40 + m },
		"a leak in a large one":    func(m float64) float64 { return 400 + m },
		"a leak under noise":       func(m float64) float64 { return 40 + m + noise()/2 },
		"a leak of a saw-tooth":    func(m float64) float64 { return 40 + m + 10*math.Mod(3*m, 1) },
		"a step that stays":        func(m float64) float64 { return map[bool]float64{true: 60, false: 40}[m > 20] },
		"a leak behind a downward": func(m float64) float64 { return 40 + m + map[bool]float64{true: -30, false: 0}[within(m, 16, 17)] },
	} {
		f := flatness(seriesOf(f), soakTime)
		require.Greater(t, f.growth(), slack, "%s: %+v", name, f)
	}
}

func TestFlatnessOfNothingIsNoGrowth(t *testing.T) {
	require.Zero(t, flatness(nil, soakTime).growth())
	require.Zero(t, flatness([]look{{time.Minute, 5}}, soakTime).growth())
	require.Equal(t, flat{1, 9}, flatness([]look{{8 * time.Minute, 1}, {soakTime - 1, 9}}, soakTime))
}

func TestSoakTableIsShort(t *testing.T) {
	all := gauges()
	series := make([][]look, len(all))
	for i := range series {
		series[i] = seriesOf(func(m float64) float64 { return 1000*float64(i) + m })
	}
	series[1] = nil
	table := soakTable(all, series, soakTime)
	lines := strings.Split(strings.TrimSpace(table), "\n")
	require.LessOrEqual(t, len(lines), 30)
	for _, line := range lines {
		require.Len(t, line, len(lines[0]))
		require.Equal(t, len(all)+2, strings.Count(line, "|"))
	}
	for _, part := range []string{"| until", "| 1m30s", "| 30m0s", "| most", "| judged early", "| judged late", "| may grow by"} {
		require.Contains(t, table, part)
	}

	r := good()
	r.Table = table
	require.Contains(t, markdown([]Result{r}, "about", "summary"), "\n\n"+table)
}
