package spool

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A disk that fails takes nothing more until a restart; what was acknowledged
// before is still published, and found again.
func TestDiskFailurePoisons(t *testing.T) {
	for name, inject := range map[string]func(f *faulty){
		"sync":           func(f *faulty) { f.onSync = onSegments(errDisk) },
		"sync for space": func(f *faulty) { f.onSync = onSegments(syscall.ENOSPC) },
		"write":          func(f *faulty) { f.onWrite = failWrite(errDisk, 100) },
		"cut after no space": func(f *faulty) {
			f.onWrite = failWrite(syscall.ENOSPC, 100)
			f.onTruncate = onSegments(errDisk)
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := newFaulty()
			cfg := quick(t.TempDir())
			r, sent := away(t, cfg, withFiles(fs))
			fs.set(inject)
			e := requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
			require.ErrorContains(t, e, "disk has failed")
			// A sync that succeeds the second time means nothing.
			fs.set(func(f *faulty) { f.onSync, f.onWrite, f.onTruncate = nil, nil, nil })
			_, before := fs.counts("segment")
			for range 3 {
				requireUnavailable(t, r.Publish(context.Background(), makeEvents(2)))
			}
			_, after := fs.counts("segment")
			require.Equal(t, before, after)
			requireUnavailable(t, r.Check(context.Background()))
			require.EqualValues(t, 1, r.metric(t, "poisoned"))
			require.Equal(t, float64(7), r.metric(t, "refused_events_total", "reason", reasonPoisoned))
			require.Contains(t, r.logs.String(), "level=ERROR msg=\"the spool's disk has failed")
			backlog, _ := r.Backlog()
			require.EqualValues(t, len(sent), backlog)

			// What is known to be there is published all the same, and the
			// stream is used while it takes events.
			r.stream.set(takes)
			r.run(t)
			r.drained(t)
			require.Equal(t, ids(sent), r.stream.taken())
			r.publish(t, makeEvents(1))
			requireUnavailable(t, r.Check(context.Background()))
			r.stop()

			r = start(t, cfg, newStream(takes))
			r.run(t)
			r.drained(t)
			require.Subset(t, r.stream.taken(), ids(sent))
			require.NoError(t, r.Check(context.Background()))
		})
	}
}

// failWrite fails writes to segments after n bytes.
func failWrite(err error, n int) func(string, []byte) (int, error) {
	return func(path string, b []byte) (int, error) {
		if kindOf(path) == "segment" {
			return min(n, len(b)), err
		}
		return 0, nil
	}
}

func TestDirectoryFailurePoisons(t *testing.T) {
	for name, inject := range map[string]func(f *faulty){
		"sync":   func(f *faulty) { f.onSyncDir = func(string) error { return errDisk } },
		"create": func(f *faulty) { f.onCreate = onSegments(syscall.EROFS) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := newFaulty()
			fs.set(inject)
			r := start(t, quick(t.TempDir()), newStream(refuses), withFiles(fs))
			requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
			require.EqualValues(t, 1, r.metric(t, "poisoned"))
		})
	}
}

// A poisoned spool without a backlog has no drainer to find out that the
// stream is back: requests do, one now and then.
func TestPoisonedSpoolReturnsToTheStream(t *testing.T) {
	fs := newFaulty()
	fs.set(func(f *faulty) { f.onSync = onSegments(errDisk) })
	r := start(t, quick(t.TempDir()), newStream(hangs), withFiles(fs))
	r.run(t)
	for range 5 {
		requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
	}
	require.NotEqual(t, breakerClosed, r.breaker.state())
	r.stream.set(takes)
	eventually(t, "the stream is tried again", func() bool {
		return r.Publish(context.Background(), makeEvents(1)) == nil
	})
	require.Equal(t, breakerClosed, r.breaker.state())
}

// A write that finds no room has not happened, and there may be room later.
func TestNoSpaceIsNoFailure(t *testing.T) {
	for name, inject := range map[string]func(f *faulty){
		"write nothing": func(f *faulty) { f.onWrite = failWrite(syscall.ENOSPC, 0) },
		"write a part":  func(f *faulty) { f.onWrite = failWrite(syscall.EDQUOT, 700) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := newFaulty()
			cfg := quick(t.TempDir())
			r, sent := away(t, cfg, withFiles(fs))
			fs.set(inject)
			for range 3 {
				requireUnavailable(t, r.Publish(context.Background(), makeEvents(4)))
			}
			require.Zero(t, r.metric(t, "poisoned"))
			require.EqualValues(t, 12, r.metric(t, "refused_events_total", "reason", reasonFull))
			fs.set(func(f *faulty) { f.onWrite = nil })
			events := makeEvents(1) // shorter than what was cut back
			r.publish(t, events)
			sent = append(sent, events...)
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(cfg.Dir))) // as if killed now
			r.stop()
			for _, dir := range []string{cfg.Dir, dir} {
				r = start(t, quick(dir), newStream(takes))
				r.run(t)
				r.drained(t)
				require.Equal(t, ids(sent), r.stream.taken())
				require.Zero(t, r.corrupt(t))
			}
		})
	}
}

func TestNoRoomForAFile(t *testing.T) {
	for name, cause := range map[string]error{"space": syscall.ENOSPC, "files": syscall.EMFILE} {
		t.Run(name, func(t *testing.T) {
			fs := newFaulty()
			fs.set(func(f *faulty) { f.onCreate = onSegments(cause) })
			r := start(t, quick(t.TempDir()), newStream(refuses), withFiles(fs))
			requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
			require.Zero(t, r.metric(t, "poisoned"))
			fs.set(func(f *faulty) { f.onCreate = nil })
			r.publish(t, makeEvents(1))
		})
	}
}

// A full disk at start is no reason not to start.
func TestOpenOnAFullDisk(t *testing.T) {
	fs := newFaulty()
	full := func(path string) error {
		if kindOf(path) == cursorName {
			return syscall.ENOSPC
		}
		return nil
	}
	fs.set(func(f *faulty) { f.onOpen = full })
	cfg := quick(t.TempDir())
	r, sent := away(t, cfg, withFiles(fs))
	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	require.Equal(t, ids(sent), r.stream.taken())
	require.Zero(t, r.metric(t, "poisoned"))
	fs.set(func(f *faulty) { f.onOpen = nil })
	r.stream.set(refuses)
	for range failuresToOpen {
		r.publish(t, makeEvents(1))
	}
	r.stream.set(takes)
	r.drained(t)
	require.FileExists(t, filepath.Join(cfg.Dir, cursorName))
}

// A cursor that cannot be synced is a disk that has failed.
func TestCursorFailurePoisons(t *testing.T) {
	fs := newFaulty()
	cfg := quick(t.TempDir())
	r, sent := away(t, cfg, withFiles(fs))
	fs.set(func(f *faulty) {
		f.onSync = func(path string) error {
			if kindOf(path) == cursorName {
				return errDisk
			}
			return nil
		}
	})
	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	require.EqualValues(t, 1, r.metric(t, "poisoned"))
	require.NotEmpty(t, segments(t, cfg.Dir), "nothing is changed on a disk that has failed")
	r.stop()
	r = start(t, cfg, newStream(takes))
	r.run(t)
	r.drained(t)
	require.Subset(t, ids(sent), r.stream.taken())
}

// A disk that hangs costs a few requests the commit's time-out and the later
// ones nothing.
func TestDiskHangs(t *testing.T) {
	fs := newFaulty()
	cfg := quick(t.TempDir())
	cfg.CommitTimeout = 50 * time.Millisecond
	r, sent := away(t, cfg, withFiles(fs))
	release := make(chan struct{})
	fs.set(func(f *faulty) { f.onSync = func(string) error { <-release; return nil } })
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			e := requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
			require.ErrorContains(t, e, "does not keep up")
		})
	}
	clients.Wait()
	began := time.Now()
	for range 50 {
		requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
	}
	require.Less(t, time.Since(began), cfg.CommitTimeout)
	requireUnavailable(t, r.Check(context.Background()))
	close(release)
	eventually(t, "the disk is back", func() bool { return r.Check(context.Background()) == nil })
	events := makeEvents(1)
	r.publish(t, events)
	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	require.Subset(t, r.stream.taken(), ids(append(sent, events...)))
}

// What cannot be read is tried again, and set aside in the end.
func TestUnreadableSegment(t *testing.T) {
	for name, cause := range map[string]error{"fails": errDisk, "gone": fs.ErrNotExist} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(t.TempDir())
			r, _ := away(t, cfg)
			r.stop()
			r, second := away(t, cfg)
			r.stop()
			require.Len(t, segments(t, cfg.Dir), 2)

			fs := newFaulty()
			bad := segments(t, cfg.Dir)[0]
			fs.set(func(f *faulty) {
				hook := func(path string) error {
					if path == bad {
						return cause
					}
					return nil
				}
				if errors.Is(cause, errDisk) {
					f.onRead = hook
				} else {
					f.onOpen = hook
				}
			})
			r = start(t, cfg, newStream(takes), withFiles(fs))
			r.run(t)
			r.drained(t)
			require.Equal(t, ids(second), r.stream.taken())
			require.EqualValues(t, failuresToOpen, r.metric(t, "corrupt_records_total", "kind", kindUnreadable))
			require.Contains(t, r.logs.String(), "level=ERROR msg=\"a spool segment cannot be read")
			require.FileExists(t, filepath.Join(cfg.Dir, corruptDir, filepath.Base(bad)))
		})
	}
	t.Run("for a while", func(t *testing.T) {
		cfg := quick(t.TempDir())
		r, sent := away(t, cfg)
		r.stop()
		fs, fails := newFaulty(), 0
		r = start(t, cfg, newStream(takes), withFiles(fs))
		r.reader.pending, r.reader.off = nil, 0
		fs.set(func(f *faulty) {
			f.onRead = func(string) error {
				if fails++; fails < readTries {
					return errDisk
				}
				return nil
			}
		})
		r.run(t)
		r.drained(t)
		require.Equal(t, ids(sent), r.stream.taken())
	})
}

func TestDamagedCursor(t *testing.T) {
	cfg := quick(t.TempDir())
	r, sent := away(t, cfg)
	r.stop()
	r = start(t, cfg, newStream(takes))
	d := &drainer{Spool: r.Spool, most: 1, size: 1}
	d.step(context.Background())
	d.step(context.Background())
	r.stop()
	path := filepath.Join(cfg.Dir, cursorName)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, damage := range map[string]struct {
		change func(b []byte) []byte
		from   int
		loud   bool
	}{
		"untouched":  {func(b []byte) []byte { return b }, 2, false},
		"newest bad": {func(b []byte) []byte { b[20] ^= 4; return b }, 1, false},
		"older bad":  {func(b []byte) []byte { b[cursorStride+20] ^= 4; return b }, 2, false},
		"both bad":   {func(b []byte) []byte { b[20] ^= 4; b[cursorStride+9] ^= 1; return b }, 0, true},
		"cut":        {func(b []byte) []byte { return b[:10] }, 0, false},
		"empty":      {func([]byte) []byte { return nil }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(cfg.Dir)))
			b := damage.change(append([]byte(nil), whole...))
			require.NoError(t, os.WriteFile(filepath.Join(dir, cursorName), b, 0o600))
			r := start(t, quick(dir), newStream(takes))
			r.run(t)
			r.drained(t)
			require.Equal(t, ids(sent)[damage.from:], r.stream.taken())
			if damage.loud {
				require.Contains(t, r.logs.String(), "level=ERROR msg=\"the spool's cursor cannot be read")
				require.FileExists(t, filepath.Join(dir, corruptDir, cursorName))
				require.EqualValues(t, 1, r.metric(t, "corrupt_records_total", "kind", kindCursor))
			} else {
				require.NotContains(t, r.logs.String(), "ERROR")
			}
		})
	}
}
