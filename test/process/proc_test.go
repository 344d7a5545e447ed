package process

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseStat(t *testing.T) {
	s, err := parseStat([]byte("1355 (a) b (c) S 7 1355 1 0 -1 4194560 100 200 3 4 250 50 10 2 20 0 8 0 12345 2076659712 8914\n"))
	require.NoError(t, err)
	require.Equal(t, stat{parent: 7, ended: 120 * time.Millisecond}, s)
	for _, bad := range []string{"", "1 (x) S 2", "1 (x) S y 1 1 0 -1 0 1 2 3 4 5 6 7 8 9"} {
		_, err := parseStat([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestParseStatus(t *testing.T) {
	m, err := parseStatus("Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   35656 kB\nVmRSS:\t   30000 kB\nThreads:\t8\n")
	require.NoError(t, err)
	require.Equal(t, Memory{Now: 30000 << 10, Peak: 35656 << 10}, m)
	for _, bad := range []string{"", "Name:\tzombie\n", "VmHWM:\t1 kB\nVmRSS:\tmuch kB\n"} {
		_, err := parseStatus(bad)
		require.Error(t, err, bad)
	}
}

func TestCPUCountsChildren(t *testing.T) {
	const work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; "
	dir := t.TempDir()
	// A child that has ended, and one that lives.
	p, err := Start(dir, filepath.Join(dir, "log"), "sh", "-c", "("+work+"); echo one; ("+work+" echo two; sleep 100); true")
	require.NoError(t, err)
	used := func(after string) time.Duration {
		require.Eventually(t, func() bool { return p.Log() == after }, 20*time.Second, time.Millisecond)
		used, err := CPU(p.PID())
		require.NoError(t, err)
		return used
	}
	one := used("one\n")
	require.GreaterOrEqual(t, one, tick)
	require.Greater(t, used("one\ntwo\n"), one+one/4)
	require.NoError(t, p.Stop(20*time.Second))
	_, err = CPU(p.PID())
	require.Error(t, err)
}

func TestProcess(t *testing.T) {
	dir := t.TempDir()
	p, err := Start(dir, filepath.Join(dir, "log"), "sh", "-c", "pwd; exec sleep 100")
	require.NoError(t, err)
	m, err := MemoryOf(p.PID())
	require.NoError(t, err)
	require.Positive(t, m.Now)
	require.GreaterOrEqual(t, m.Peak, m.Now)
	require.Eventually(t, func() bool { return p.Log() == dir+"\n" }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, p.Stop(20*time.Second))
	<-p.Ended()
	require.ErrorContains(t, p.Stop(time.Second), "ended by itself", "it is not stopped twice unnoticed")

	p, err = Start(dir, filepath.Join(dir, "log2"), "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.Log() == "ready\n" }, 20*time.Second, 10*time.Millisecond)
	require.ErrorContains(t, p.Stop(10*time.Millisecond), "had not ended")

	_, err = Start(dir, filepath.Join(dir, "log3"), filepath.Join(dir, "nothing"))
	require.Error(t, err)
}

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), "sh", "-c", "echo this; echo that >&2")
	require.NoError(t, err)
	require.Equal(t, "this\n", string(out))
	_, err = Output(t.Context(), "sh", "-c", "echo why >&2; exit 3")
	require.ErrorContains(t, err, "why")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Output(ctx, "sleep", "100")
	require.ErrorIs(t, err, context.Canceled)
}
