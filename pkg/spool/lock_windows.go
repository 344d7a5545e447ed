package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks f for this process until f is closed, however the process
// ends. It fails with errLocked at once when another one has it.
func lockFile(f *os.File) error {
	// A byte that nobody writes: a locked one could not be read by others.
	at := &windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
