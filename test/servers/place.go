package servers

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	dirPrefix = "eventpulse-test-"
	lockName  = "owner.lock"
	staleAge  = time.Minute
)

// place is a throw-away directory. An flock says that its owner lives: the
// kernel drops it with the process, so what a killed test left behind can be
// told apart and is removed by the next one.
type place struct {
	dir  string
	lock *os.File
}

// newPlace makes a directory that a server running as another user can
// traverse, which is not so of testing.TB.TempDir.
func newPlace() (*place, error) {
	sweep()
	dir, err := os.MkdirTemp("/tmp", dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("make server directory: %w", err)
	}
	p := &place{dir: dir}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, fmt.Errorf("open server directory to its user: %w", err)
	}
	if p.lock, err = os.Create(filepath.Join(dir, lockName)); err != nil {
		return nil, fmt.Errorf("lock server directory: %w", err)
	}
	if err := syscall.Flock(int(p.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock server directory: %w", err)
	}
	return p, nil
}

// remove deletes the directory and all in it.
func (p *place) remove() error {
	err := os.RemoveAll(p.dir)
	_ = p.lock.Close()
	return err
}

// sweep removes directories whose owner is gone. It is best effort.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join("/tmp", dirPrefix+"*"))
	for _, dir := range dirs {
		// A young directory may be between its creation and its lock.
		if st, err := os.Stat(dir); err != nil || time.Since(st.ModTime()) < staleAge {
			continue
		}
		f, err := os.Open(filepath.Join(dir, lockName))
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			releaseSharedMemory(filepath.Join(dir, dataName))
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}

// findBinary looks for name in PATH, then in each directory.
func findBinary(name, install string, dirs ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s not found: install %s", name, install)
}

// postgresDirs are where distributions put the server's binaries, newest
// version first.
func postgresDirs() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	return dirs
}

// unprivileged returns the user PostgreSQL runs as: nil for our own unless we
// are root, whom it refuses.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("running as root and there is no user postgres or nobody to run PostgreSQL as")
}
