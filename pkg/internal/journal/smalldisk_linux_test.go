package journal

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
)

// smallDisk returns a directory on a disk of 24 MB, and whether it is one.
func smallDisk(t *testing.T) (dir string, small bool) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Logf("no small disk (%v): a small MaxBytes instead", err)
		return dir, false
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir, true
}

// A disk fills up: appends fail, nothing acknowledged is lost, and when there is
// space again they succeed.
func TestJournal_FullDisk(t *testing.T) {
	for name, test := range map[string]struct {
		minFree int64
		fs      durable.FS
		beside  bool // somebody else takes the last of the disk
	}{
		"keeps its distance":            {minFree: 256 << 20},
		"to the last byte":              {},
		"to the last, growing":          {fs: durabletest.NewSizedFS(-1, -1)},
		"beside others":                 {minFree: 256 << 20, beside: true},
		"beside others, without blocks": {fs: durabletest.NewSizedFS(-1, -1), beside: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, small := smallDisk(t)
			journalDir := filepath.Join(dir, "journal")
			options := func(o *Options) {
				o.MinFreeBytes, o.FS = test.minFree, test.fs
				if !small {
					o.MaxBytes = 16 << 20
				}
			}
			f := openJournal(t, journalDir, options)
			acked := fill(t, f)
			require.NoError(t, f.Err())
			require.True(t, f.Stats().Full)
			require.EqualValues(t, len(acked), f.Stats().Records)
			if small {
				require.Greater(t, f.Stats().Bytes, int64(15<<20))
			}
			if test.beside && small {
				takeRest(t, filepath.Join(dir, "other"))
			}
			// Even so it can be closed, opened and read.
			f.close(t)
			f = openJournal(t, journalDir, options)
			requireSame(t, acked, f.drain(t, 256))
			require.NotContains(t, f.logs.String(), "ERROR")

			again := fill(t, f)
			require.Greater(t, len(again), 1000, "space has returned")
			require.NoError(t, f.Err())
			requireSame(t, again, f.drain(t, 256))
			f.close(t) // before the disk goes
		})
	}
}

// fill appends from several goroutines until nothing fits, and returns what was
// acknowledged.
func fill(t *testing.T, f *fixture) (acked []string) {
	t.Helper()
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for failures := 0; failures < 20; {
				batch := payloads(50)
				err := f.tryAppend(batch...)
				mu.Lock()
				if err == nil {
					acked = append(acked, batch...)
				} else {
					failures++
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	require.NotEmpty(t, acked)
	return acked
}

// requireSame compares without regard to the order.
func requireSame(t *testing.T, want, got []string) {
	t.Helper()
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)
}

// takeRest fills the disk.
func takeRest(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	require.NoError(t, f.Close())
}
