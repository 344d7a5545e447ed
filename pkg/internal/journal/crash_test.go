package journal

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
)

// live lets a journal take records, release some and take more, on a disk that
// may crash at any step. It returns what was acknowledged, and what was
// released.
func live(t *testing.T, dir string, fs *durabletest.CrashFS) (acked []string, released map[string]bool) {
	t.Helper()
	released = map[string]bool{}
	f, err := tryOpen(dir, withSegments(3<<10), func(o *Options) { o.FS = fs })
	if err != nil {
		require.ErrorIs(t, err, durabletest.ErrCrashed)
		return nil, released
	}
	appendSome := func(batches int) {
		for n := range batches {
			batch := payloads(1 + n%4)
			if f.tryAppend(batch...) == nil {
				acked = append(acked, batch...)
			}
		}
	}
	drain := func(below int64) {
		for f.Stats().Records > below {
			records, _ := f.Reader().Read(8)
			if len(records) == 0 {
				continue // after a crash the segment is given up in the end
			}
			for _, r := range records {
				released[string(r.Payload)] = true
			}
			f.Reader().Release(records[len(records)-1].Seq)
		}
	}
	appendSome(12)
	drain(10)
	appendSome(8)
	drain(0)
	appendSome(6)
	_ = f.Close(testTimeout) // fails after a crash
	return acked, released
}

func TestJournal_LosesNothingAcknowledged_CrashAtEveryStep(t *testing.T) {
	whole := durabletest.NewCrashFS(1<<30, 1)
	live(t, t.TempDir(), whole)
	require.Greater(t, whole.Steps(), 100)
	rounds := uint64(3)
	if testing.Short() {
		rounds = 1
	}
	for step := 1; step <= whole.Steps()+1; step++ {
		for round := range rounds {
			for _, machine := range []bool{false, true} {
				crashAt(t, step, round, machine)
			}
		}
	}
	t.Logf("%d steps", whole.Steps())
}

// crashAt crashes the process or the whole machine at a step and requires that
// what was acknowledged has been released or is found again.
func crashAt(t *testing.T, step int, seed uint64, machine bool) {
	t.Helper()
	dir := fastDir(t)
	fs := durabletest.NewCrashFS(step, seed)
	acked, released := live(t, dir, fs)
	after := fs.Restart(machine)
	f := openJournal(t, dir, withSegments(3<<10), func(o *Options) { o.FS = after })
	for _, p := range f.drain(t, 8) {
		released[p] = true
	}
	for _, p := range acked {
		if !released[p] {
			t.Fatalf("step %d, seed %d, machine %v: %s was acknowledged and is lost\n%s", step, seed, machine, p, &f.logs)
		}
	}
	if !machine {
		require.NotContains(t, f.logs.String(), "ERROR", "step %d", step)
	}
	f.close(t)
}

// FuzzJournal_Crash does the same with random losses.
func FuzzJournal_Crash(f *testing.F) {
	f.Add(40, uint64(1))
	f.Fuzz(func(t *testing.T, step int, seed uint64) {
		if step < 1 || step > 300 {
			return
		}
		crashAt(t, step, seed, true)
	})
}
