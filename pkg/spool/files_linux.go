package spool

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out the times of the file, which would cost a write of the
// file system's own.
func syncData(f *os.File) error { return control("fdatasync", f, unix.Fdatasync) }

// reserve extends f by zeros that have their place on the disk.
func reserve(f *os.File, size int64) error {
	err := control("fallocate", f, func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}

// control makes a system call on f, until no signal interrupts it.
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
