package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompareIDs_OrdersAsRedisDoes(t *testing.T) {
	ordered := []string{"", "1-1", "1-2", "1-10", "2", "10-0", "10-18446744073709551615", "18446744073709551615-0"}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			require.Equal(t, want, CompareIDs(a, b), "%q and %q", a, b)
		}
	}
	require.Zero(t, CompareIDs("2", "2-0"))
	require.Zero(t, CompareIDs("", "no id"))
}
