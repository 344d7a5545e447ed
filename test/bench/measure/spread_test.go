package measure

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	require.Equal(t, Spread{}, SpreadOf(nil))
	require.Equal(t, Spread{Median: 2, Min: 2, Max: 2, N: 1}, SpreadOf([]float64{2}))
	require.Equal(t, Spread{Median: 3, Min: 1, Max: 9, N: 3}, SpreadOf([]float64{9, 1, 3}))
	values := []float64{4, 1, 2, 9}
	require.Equal(t, Spread{Median: 3, Min: 1, Max: 9, N: 4}, SpreadOf(values))
	require.Equal(t, []float64{4, 1, 2, 9}, values, "they stay in their order")
}

func TestMean(t *testing.T) {
	require.Zero(t, Mean(nil))
	require.Equal(t, 2.5, Mean([]float64{1, 4}))
}
