package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out the times of the file, which would cost the file system a
// write of its own: https://man7.org/linux/man-pages/man2/fdatasync.2.html
func syncData(f *os.File) error { return control("fdatasync", f, unix.Fdatasync) }

// preallocate extends f by zeros that have their place on the disk, so that a
// later write within them needs no new block and changes no size:
// https://man7.org/linux/man-pages/man2/fallocate.2.html
func preallocate(f *os.File, size int64) error {
	err := control("fallocate", f, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}

// control makes a system call on f, again when a signal interrupts it.
func control(name string, f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if callErr = call(int(fd)); !errors.Is(callErr, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError(name, callErr)
}

// InMemory says whether the file system under dir keeps its files in memory
// only, so that a restart of the machine loses them: tmpfs and ramfs do. Where
// the system does not tell, it is taken for a disk.
func InMemory(dir string) (bool, error) {
	st, err := statfs(dir)
	if err != nil {
		return false, err
	}
	kind := uint32(st.Type)
	return kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC, nil
}
