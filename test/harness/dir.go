// Package harness is what the benchmark and the chaos run share: a directory that
// does not outlive its owner, and a Redis client of their own.
package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	dirPrefix = "eventpulse-chaos-"
	lockName  = "owner.lock"
	keepName  = "kept"
)

// Dir is the directory of a harness run, with everything in it: data, logs
// and small disks of its own. A lock says that its owner lives, so that what a
// killed run left behind can be told apart.
type Dir struct {
	Path string
	lock *os.File
}

// NewDir makes one under parent, which PostgreSQL's user must be able to pass,
// and removes those of killed runs.
func NewDir(parent string) (*Dir, error) {
	sweep(parent)
	dir, err := os.MkdirTemp(parent, dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	d := &Dir{Path: dir}
	// PostgreSQL runs as another user and must be able to pass.
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("open directory to others: %w", err)
	}
	if d.lock, err = os.Create(filepath.Join(dir, lockName)); err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	return d, nil
}

// Keep says that the directory is to stay when the run is over.
func (d *Dir) Keep() error { return os.WriteFile(filepath.Join(d.Path, keepName), nil, 0o600) }

// Close removes the directory unless it is to stay.
func (d *Dir) Close() error {
	defer func() { _ = d.lock.Close() }()
	if _, err := os.Stat(filepath.Join(d.Path, keepName)); err == nil {
		return nil
	}
	return os.RemoveAll(d.Path)
}

// sweep removes what killed runs left behind. It is best effort.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, dirPrefix+"*"))
	for _, dir := range dirs {
		// A young directory may be between its creation and its lock.
		if st, err := os.Stat(dir); err != nil || time.Since(st.ModTime()) < time.Minute {
			continue
		}
		f, err := os.Open(filepath.Join(dir, lockName))
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			unmountUnder(dir)
			if _, err := os.Stat(filepath.Join(dir, keepName)); err != nil {
				_ = os.RemoveAll(dir)
			}
		}
		_ = f.Close()
	}
}

func unmountUnder(dir string) {
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			_ = syscall.Unmount(f[1], syscall.MNT_DETACH)
		}
	}
}
