//go:build linux || darwin || freebsd

package spool

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// diskSpace returns the bytes that an ordinary user may still write to the
// disk under dir, and all that it has.
func diskSpace(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	for {
		if err = unix.Statfs(dir, &st); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, -1, os.NewSyscallError("statfs", err)
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
