package doctor

import (
	"os"

	"golang.org/x/sys/unix"
)

func inspectDisk(dir string) (Disk, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Disk{}, os.NewSyscallError("statfs", err)
	}
	block, kind := uint64(st.Bsize), uint32(st.Type) // their types differ by architecture
	return Disk{
		Free: int64(st.Bavail * block), Total: int64(st.Blocks * block),
		Writable: unix.Access(dir, unix.W_OK|unix.X_OK) == nil,
		InMemory: kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC,
	}, nil
}
