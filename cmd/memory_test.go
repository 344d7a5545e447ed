package cmd

import (
	"math"
	"os"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/consumer"
)

func TestLimitMemory_FollowsTheBatchesInHand(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("GOMEMLIMIT", "")
	require.NoError(t, os.Unsetenv("GOMEMLIMIT"))

	limitMemory(consumer.DefaultConfig())
	require.EqualValues(t, 3*8<<20+16<<20, debug.SetMemoryLimit(-1))

	t.Setenv("GOMEMLIMIT", "1GiB")
	debug.SetMemoryLimit(math.MaxInt64)
	limitMemory(consumer.DefaultConfig())
	require.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1), "whoever sets it knows better")
}
