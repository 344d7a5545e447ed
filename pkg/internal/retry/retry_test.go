package retry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBackoff_DoublesUpToTheLongestAndStartsOver(t *testing.T) {
	b := New()
	for range 2 {
		for _, millis := range []int{50, 100, 200, 400, 800, 1600, 2000, 2000} {
			pause := time.Duration(millis) * time.Millisecond
			got := b.Next()
			require.GreaterOrEqual(t, got, pause/2)
			require.LessOrEqual(t, got, pause*3/2+1)
		}
		b.Reset()
	}
}

func TestBackoff_IsJittered(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 20 {
		seen[Between(time.Second, time.Minute).Next()] = true
	}
	require.Greater(t, len(seen), 1)
}

func TestSleep_LastsAsLongAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.NoError(t, Sleep(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestSleep_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, Sleep(ctx, time.Hour), context.DeadlineExceeded)
	})
}
