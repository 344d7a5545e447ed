package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// errLocked says that another process has the lock.
var errLocked = errors.New("in use by another process")

// lockDir makes dir this process's own until what it returns is closed. It
// fails at once when the directory is in use, and says by whom.
func lockDir(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		if errors.Is(err, errLocked) {
			err = fmt.Errorf("%s is %w%s: every process needs a spool directory of its own", dir, err, holder(f))
		}
		f.Close()
		return nil, err
	}
	// Only for whoever is refused; the lock is what counts.
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
