package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
)

// A disk that fails takes nothing more until a restart; what was acknowledged
// before is still read, and found again.
func TestJournal_ReadOnlyAfterADiskFailure(t *testing.T) {
	disk := durabletest.ErrDisk
	for name, inject := range map[string]func(f *durabletest.FaultFS){
		"sync":           func(f *durabletest.FaultFS) { f.Fail(durabletest.OpSync, failing(isSegment, disk)) },
		"sync for space": func(f *durabletest.FaultFS) { f.Fail(durabletest.OpSync, failing(isSegment, syscall.ENOSPC)) },
		"write":          func(f *durabletest.FaultFS) { f.FailWrites(100, failing(isSegment, disk)) },
		"cut after no space": func(f *durabletest.FaultFS) {
			f.FailWrites(100, failing(isSegment, syscall.ENOSPC))
			f.Fail(durabletest.OpTruncate, failing(isSegment, disk))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, fs := t.TempDir(), durabletest.NewFaultFS()
			f := openJournal(t, dir, withFS(fs))
			appended := payloads(3)
			f.appendEach(t, appended...)
			inject(fs)
			require.ErrorIs(t, f.tryAppend(payloads(1)...), ErrFailed)
			// A sync that succeeds the second time means nothing.
			fs.Heal()
			syncs := fs.Count(durabletest.OpSync, isSegment)
			for range 3 {
				require.ErrorIs(t, f.tryAppend(payloads(2)...), ErrFailed)
			}
			require.Equal(t, syncs, fs.Count(durabletest.OpSync, isSegment))
			require.ErrorIs(t, f.Err(), ErrFailed)
			require.ErrorIs(t, f.Check(testTimeout), ErrFailed)
			require.Contains(t, f.logs.String(), "level=ERROR msg=\"the journal's disk has failed")
			require.EqualValues(t, len(appended), f.Stats().Records)

			require.Equal(t, appended, f.drain(t, 10))
			require.NotEmpty(t, segments(t, dir), "nothing is changed on a disk that has failed")
			f.close(t)

			f = openJournal(t, dir)
			require.Subset(t, f.drain(t, 10), appended)
			require.NoError(t, f.Check(testTimeout))
			f.append(t, payloads(1)...)
		})
	}
}

func TestJournal_ReadOnlyAfterADirectoryFailure(t *testing.T) {
	for name, inject := range map[string]func(f *durabletest.FaultFS){
		"sync": func(f *durabletest.FaultFS) {
			f.Fail(durabletest.OpSyncDir, func(string) error { return durabletest.ErrDisk })
		},
		"create": func(f *durabletest.FaultFS) {
			f.Fail(durabletest.OpCreate, failing(isSegment, syscall.EROFS))
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := durabletest.NewFaultFS()
			inject(fs)
			f := openJournal(t, t.TempDir(), withFS(fs))
			require.ErrorIs(t, f.tryAppend(payloads(1)...), ErrFailed)
			require.ErrorIs(t, f.Err(), ErrFailed)
		})
	}
}

func TestJournal_ReadOnlyAfterACursorFailure(t *testing.T) {
	dir, fs := t.TempDir(), durabletest.NewFaultFS()
	f := openJournal(t, dir, withFS(fs))
	appended := payloads(3)
	f.append(t, appended...)
	fs.Fail(durabletest.OpSync, failing(isCursor, durabletest.ErrDisk))
	require.Equal(t, appended, f.drain(t, 10))
	require.ErrorIs(t, f.Err(), ErrFailed)
	require.NotEmpty(t, segments(t, dir))
	f.close(t)
	require.Subset(t, appended, openJournal(t, dir).drain(t, 10))
}

// A write that finds no space has not happened, and there may be space later.
func TestAppend_NoSpaceIsNoFailure(t *testing.T) {
	for name, inject := range map[string]func(f *durabletest.FaultFS){
		"write nothing": func(f *durabletest.FaultFS) { f.FailWrites(0, failing(isSegment, syscall.ENOSPC)) },
		"write a part":  func(f *durabletest.FaultFS) { f.FailWrites(700, failing(isSegment, syscall.EDQUOT)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, fs := t.TempDir(), durabletest.NewFaultFS()
			f := openJournal(t, dir, withFS(fs))
			appended := payloads(3)
			f.append(t, appended...)
			inject(fs)
			for range 3 {
				require.ErrorIs(t, f.tryAppend(payloads(4)...), ErrFull)
			}
			require.NoError(t, f.Err())
			fs.Heal()
			more := payloads(1) // shorter than what was cut back
			f.append(t, more...)
			appended = append(appended, more...)
			killed := t.TempDir()
			require.NoError(t, os.CopyFS(killed, os.DirFS(dir))) // as if killed now
			f.close(t)
			for _, dir := range []string{dir, killed} {
				f := openJournal(t, dir)
				require.Equal(t, appended, f.drain(t, 10))
				require.Zero(t, f.corruptions())
			}
		})
	}
}

func TestAppend_NoFileIsNoFailure(t *testing.T) {
	for name, cause := range map[string]error{"space": syscall.ENOSPC, "open files": syscall.EMFILE} {
		t.Run(name, func(t *testing.T) {
			fs := durabletest.NewFaultFS()
			fs.Fail(durabletest.OpCreate, failing(isSegment, cause))
			f := openJournal(t, t.TempDir(), withFS(fs))
			err := f.tryAppend(payloads(1)...)
			require.ErrorIs(t, err, cause)
			require.Equal(t, errors.Is(cause, syscall.ENOSPC), errors.Is(err, ErrFull))
			require.NoError(t, f.Err())
			fs.Heal()
			f.append(t, payloads(1)...)
		})
	}
}

// A full disk at start is no reason not to start.
func TestOpen_WithoutSpaceForTheCursor(t *testing.T) {
	dir, fs := t.TempDir(), durabletest.NewFaultFS()
	fs.Fail(durabletest.OpOpen, failing(isCursor, syscall.ENOSPC))
	f := openJournal(t, dir, withFS(fs))
	appended := payloads(3)
	f.append(t, appended...)
	require.Equal(t, appended, f.drain(t, 10))
	require.NoError(t, f.Err())
	fs.Heal()
	f.append(t, payloads(3)...)
	f.drain(t, 10)
	require.FileExists(t, filepath.Join(dir, cursorName))
}

// What cannot be read is tried again, and quarantined in the end.
func TestReader_GivesUpAnUnreadableSegment(t *testing.T) {
	for name, inject := range map[string]func(f *durabletest.FaultFS, bad string){
		"fails": func(f *durabletest.FaultFS, bad string) {
			f.Fail(durabletest.OpRead, failing(func(p string) bool { return p == bad }, durabletest.ErrDisk))
		},
		"gone": func(f *durabletest.FaultFS, bad string) {
			f.Fail(durabletest.OpOpen, failing(func(p string) bool { return p == bad }, fs.ErrNotExist))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := openJournal(t, dir)
			f.append(t, payloads(3)...)
			f.close(t)
			f = openJournal(t, dir)
			second := payloads(3)
			f.append(t, second...)
			f.close(t)
			require.Len(t, segments(t, dir), 2)

			fs, bad := durabletest.NewFaultFS(), segments(t, dir)[0]
			inject(fs, bad)
			f = openJournal(t, dir, withFS(fs))
			require.Equal(t, second, f.drain(t, 10))
			require.Equal(t, 3, f.corruptions(CorruptUnreadable))
			require.Contains(t, f.logs.String(), "level=ERROR msg=\"a segment of the journal cannot be read")
			require.FileExists(t, filepath.Join(dir, quarantineDir, filepath.Base(bad)))
		})
	}
}

func TestReader_ReadsASegmentThatFailedForAWhile(t *testing.T) {
	dir, fs := t.TempDir(), durabletest.NewFaultFS()
	f := openJournal(t, dir, withFS(fs))
	appended := payloads(3)
	f.append(t, appended...)
	fails := 0
	fs.Fail(durabletest.OpRead, func(string) error {
		if fails++; fails < maxReadTries {
			return durabletest.ErrDisk
		}
		return nil
	})
	require.Equal(t, appended, f.drain(t, 10))
	require.Equal(t, maxReadTries, fails)
	require.Zero(t, f.corruptions())
}
