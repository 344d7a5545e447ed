package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked is what LockDir fails with when another process has the lock.
var ErrLocked = errors.New("in use by another process")

// LockDir makes dir this process's own until what it returns is closed or the
// process ends. It fails at once, with [ErrLocked], when another process uses
// the directory, and says which.
func LockDir(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		if errors.Is(err, ErrLocked) {
			err = fmt.Errorf("%s is %w%s", dir, err, holder(f))
		}
		return nil, errors.Join(err, f.Close())
	}
	// Only for whoever finds it locked; the lock is what counts.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// holder reads what the process that has the lock wrote into it.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}
