package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
	for _, c := range []struct{ begin, holdsTo, want float64 }{
		{0.36, 0.60, 0.56}, {0.36, 0.36, 0.36}, {0.36, 0.30, 0.26}, {0.36, 0, leastShare}, {0.36, 9, 1.46}, {0.76, 0.60, 0.56},
	} {
		tried := 0
		got, err := search(c.begin, func(share float64) (bool, error) {
			tried++
			return share <= c.holdsTo+1e-9, nil
		})
		require.NoError(t, err)
		require.InDelta(t, c.want, got, 1e-9, c)
		require.Less(t, tried, 30)
	}
	_, err := search(0.35, func(float64) (bool, error) { return false, t.Context().Err() })
	require.NoError(t, err)
}

func TestSustained(t *testing.T) {
	backlog := func(at func(i int) float64) (b []float64) {
		for i := range 100 {
			b = append(b, at(i))
		}
		return b
	}
	flat := flow{offered: 10_000, kept: true, backlogs: backlog(func(i int) float64 { return float64(1000 + i%10*300) })}
	require.True(t, flat.sustained())
	growing := flat
	growing.backlogs = backlog(func(i int) float64 { return float64(i * 200) })
	require.False(t, growing.sustained())
	settled := flat
	settled.backlogs = backlog(func(i int) float64 { return float64(min(i, 40) * 1000) })
	require.True(t, settled.sustained(), "what it grew by in the first half does not matter")
	refused := flat
	refused.kept = false
	require.False(t, refused.sustained())
	require.False(t, flow{offered: 1, kept: true}.sustained(), "nothing was seen")
}
