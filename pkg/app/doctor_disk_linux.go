package app

import (
	"os"

	"golang.org/x/sys/unix"
)

func inspectDisk(dir string) (disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return disk{}, os.NewSyscallError("statfs", err)
	}
	block, kind := uint64(st.Bsize), uint32(st.Type) // their types differ by architecture
	return disk{
		free: int64(st.Bavail * block), total: int64(st.Blocks * block),
		writable: unix.Access(dir, unix.W_OK|unix.X_OK) == nil,
		memory:   kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC,
	}, nil
}
