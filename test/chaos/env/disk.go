package env

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotHere says that a fault cannot be had on this machine, or with this
// binary, and why.
var ErrNotHere = errors.New("not runnable here")

// Disk is a small file system in memory, which can be filled up.
type Disk struct{ dir string }

const ballast = "ballast"

// newDisk mounts one over dir, with mode permissions, which needs root.
func newDisk(dir string, bytes int64, mode os.FileMode) (*Disk, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: a small disk of its own needs root", ErrNotHere)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return nil, fmt.Errorf("make mount point: %w", err)
	}
	options := fmt.Sprintf("size=%d,mode=%o", bytes, mode)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		return nil, fmt.Errorf("%w: mount tmpfs: %w", ErrNotHere, err)
	}
	return &Disk{dir: dir}, nil
}

// Fill leaves about so many bytes of the disk free.
func (d *Disk) Fill(leave int64) error {
	free, err := d.Free()
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(d.dir, ballast))
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	defer func() { _ = f.Close() }()
	_, err = io.CopyN(f, zeros{}, max(0, free-leave))
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill disk: %w", err)
	}
	return nil
}

// Empty takes away what Fill put there.
func (d *Disk) Empty() error { return os.Remove(filepath.Join(d.dir, ballast)) }

// Free returns the bytes left.
func (d *Disk) Free() (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		return 0, fmt.Errorf("look at disk: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

func (d *Disk) close() error { return syscall.Unmount(d.dir, syscall.MNT_DETACH) }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
