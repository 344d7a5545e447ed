package spool

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// smallDisk returns a directory on a disk of 24 MB, and whether it is one.
func smallDisk(t *testing.T) (dir string, small bool) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Logf("no small disk (%v): a small spool.max_bytes instead", err)
		return dir, false
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, 0)) })
	return dir, true
}

// A disk fills up: requests are refused, nothing acknowledged is lost, and
// when there is room again they are taken.
func TestSmallDisk(t *testing.T) {
	for name, test := range map[string]struct {
		minFree int64
		files   files
		beside  bool // somebody else takes the last of the disk
	}{
		"keeps its distance":        {minFree: DefaultConfig().MinFreeBytes, files: disk{}},
		"to the last byte":          {files: disk{}},
		"to the last, growing":      {files: &spaceFiles{free: -1, total: -1}},
		"beside others":             {minFree: DefaultConfig().MinFreeBytes, files: disk{}, beside: true},
		"beside others, no reserve": {files: &spaceFiles{free: -1, total: -1}, beside: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, small := smallDisk(t)
			cfg := quick(filepath.Join(dir, "spool"))
			cfg.MinFreeBytes = test.minFree
			if !small {
				cfg.MaxBytes = 16 << 20
			}
			r, sent := away(t, cfg, withFiles(test.files))
			acked := ids(sent)
			fill := func() {
				var mu sync.Mutex
				var clients sync.WaitGroup
				for range 4 {
					clients.Go(func() {
						for refused := 0; refused < 20; {
							events := makeEvents(50)
							if err := r.Publish(context.Background(), events); err != nil {
								requireUnavailable(t, err)
								refused++
								continue
							}
							mu.Lock()
							acked = append(acked, ids(events)...)
							mu.Unlock()
						}
					})
				}
				clients.Wait()
			}
			fill()
			require.Zero(t, r.metric(t, "poisoned"))
			require.EqualValues(t, 1, r.metric(t, "full"))
			backlog, bytes := r.Backlog()
			require.EqualValues(t, len(acked), backlog)
			if small {
				var st unix.Statfs_t
				require.NoError(t, unix.Statfs(dir, &st))
				t.Logf("%d events, %d bytes, %d of %d left", backlog, bytes, st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize))
				require.Greater(t, bytes, int64(15<<20))
			}
			if test.beside && small {
				takeRest(t, filepath.Join(dir, "other"))
			}
			// Even so it can be drained, closed and opened.
			r.stop()
			s := newStream(takes)
			r = start(t, cfg, s, withFiles(test.files))
			stop := r.run(t)
			r.drained(t)
			stop()
			requireAll(t, s, acked)
			require.NotContains(t, r.logs.String(), "ERROR")

			// Space has returned, so it takes events again.
			s.set(refuses)
			before := len(acked)
			fill()
			require.Greater(t, len(acked), before+1000)
			require.Zero(t, r.metric(t, "poisoned"))
			r.run(t)
			s.set(takes)
			r.drained(t)
			requireAll(t, s, acked)
		})
	}
}

// takeRest fills the disk.
func takeRest(t *testing.T, path string) {
	f, err := os.Create(path)
	require.NoError(t, err)
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	require.NoError(t, f.Close())
}

func requireAll(t *testing.T, s *stream, acked []uuid.UUID) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range acked {
		require.Equal(t, id, s.last[id].ID)
	}
}
