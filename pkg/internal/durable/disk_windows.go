package durable

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// syncDir has nothing to do: NTFS journals names by itself.
func syncDir(string) error { return nil }

// IsNoSpace says whether err means that the disk, or this user's share of it,
// is full.
func IsNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// IsTooManyFiles says whether err means that no more files can be open now.
func IsTooManyFiles(err error) bool { return errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES) }

// Writable says whether this process's user may make files in dir. Access lists
// are not consulted: opening a file there will tell.
func Writable(string) bool { return true }

// lockFile locks f for this process until f is closed, however the process
// ends. It fails with ErrLocked at once when another one has it.
func lockFile(f *os.File) error {
	// A byte that nobody writes: a locked one could not be read by others.
	at := &windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

func space(dir string) (available, total int64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1, -1, err
	}
	var free, all uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, &all, nil); err != nil {
		return -1, -1, err
	}
	return int64(min(free, math.MaxInt64)), int64(min(all, math.MaxInt64)), nil
}
