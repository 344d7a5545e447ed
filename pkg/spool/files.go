package spool

import (
	"io"
	"os"

	"github.com/eventpulse/eventpulse/pkg/fault"
)

// files is what the spool asks of the file system. Tests put faults in it.
type files interface {
	// create makes a new file for writing; it must not exist.
	create(path string) (file, error)
	// open opens a file for reading, and for writing when it is asked to; it
	// makes one that is to be written and does not exist.
	open(path string, write bool) (file, error)
	remove(path string) error
	rename(from, to string) error
	mkdir(path string) error
	// list returns the names in a directory and the sizes of the files.
	list(dir string) ([]fileInfo, error)
	// syncDir makes the names in a directory durable.
	syncDir(dir string) error
	// space returns how many bytes of the disk under dir are free for us and
	// how many there are; both are negative when it cannot be known.
	space(dir string) (free, total int64, err error)
}

// file is an open file.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Reserve gives the file size bytes, of zeros and with room on the disk
	// for them. It fails with errors.ErrUnsupported where that cannot be had.
	Reserve(size int64) error
	// Sync makes what was written durable, and no more than that takes.
	Sync() error
}

type fileInfo struct {
	name string
	size int64
}

// disk is the file system of this machine.
type disk struct{}

type diskFile struct{ *os.File }

// Sync implements file.
func (f diskFile) Sync() error {
	if err := fault.Error(fault.SpoolSync); err != nil {
		return err
	}
	return syncData(f.File)
}

// Reserve implements file.
func (f diskFile) Reserve(size int64) error { return reserve(f.File, size) }

func (disk) create(path string) (file, error) {
	return opened(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

func (disk) open(path string, write bool) (file, error) {
	if write {
		return opened(os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600))
	}
	return opened(os.Open(path))
}

func opened(f *os.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) remove(path string) error     { return os.Remove(path) }
func (disk) rename(from, to string) error { return os.Rename(from, to) } //nolint:gosec // the operator names the directory
func (disk) mkdir(path string) error      { return os.MkdirAll(path, 0o700) }

func (disk) list(dir string) ([]fileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var infos []fileInfo
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		infos = append(infos, fileInfo{e.Name(), info.Size()})
	}
	return infos, nil
}

func (disk) syncDir(dir string) error { return syncDirectory(dir) }

func (disk) space(dir string) (free, total int64, err error) { return diskSpace(dir) }
