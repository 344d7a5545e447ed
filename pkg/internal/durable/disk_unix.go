//go:build linux || darwin || freebsd

package durable

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// syncDir makes the names in dir durable. fsync of a file does not cover the
// entry in its directory: https://man7.org/linux/man-pages/man2/fsync.2.html
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// IsNoSpace says whether err means that the disk, or this user's share of it,
// is full.
func IsNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// IsTooManyFiles says whether err means that no more files can be open now.
func IsTooManyFiles(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// Writable says whether this process's user may make files in dir.
func Writable(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil }

// lockFile locks f for this process until f is closed, however the process
// ends. It fails with ErrLocked at once when another one has it:
// https://man7.org/linux/man-pages/man2/flock.2.html
func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}

// space counts what an ordinary user may still write, not what root may.
func space(dir string) (available, total int64, err error) {
	st, err := statfs(dir)
	if err != nil {
		return -1, -1, err
	}
	// The fields differ in type from system to system.
	block := uint64(st.Bsize)
	bytes := func(blocks uint64) int64 {
		if block > 0 && blocks > math.MaxInt64/block {
			return math.MaxInt64
		}
		return int64(blocks * block)
	}
	//nolint:unconvert // On some systems it is one.
	return bytes(uint64(max(st.Bavail, 0))), bytes(uint64(st.Blocks)), nil
}

func statfs(dir string) (st unix.Statfs_t, err error) {
	for {
		err = unix.Statfs(dir, &st)
		if !errors.Is(err, unix.EINTR) {
			return st, os.NewSyscallError("statfs", err)
		}
	}
}
