package durable

import "os"

// Disk is the file system of this machine. The zero value is ready for use.
type Disk struct{}

var _ FS = Disk{}

// Create implements [FS].
func (Disk) Create(path string) (File, error) {
	return opened(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))
}

// Open implements [FS].
func (Disk) Open(path string) (File, error) { return opened(os.Open(path)) }

// OpenWritable implements [FS].
func (Disk) OpenWritable(path string) (File, error) {
	return opened(os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600))
}

func opened(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// Remove implements [FS].
func (Disk) Remove(path string) error { return os.Remove(path) }

// Rename implements [FS].
func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

// MkdirAll implements [FS].
func (Disk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// List implements [FS].
func (Disk) List(dir string) ([]FileInfo, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var infos []FileInfo
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if os.IsNotExist(err) {
			continue // removed since the directory was read
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, FileInfo{e.Name(), info.Size()})
	}
	return infos, nil
}

// SyncDir implements [FS].
func (Disk) SyncDir(dir string) error { return syncDir(dir) }

// Space implements [FS].
func (Disk) Space(dir string) (available, total int64, err error) { return space(dir) }

type diskFile struct{ *os.File }

// Sync implements [File].
func (f diskFile) Sync() error { return syncData(f.File) }

// Preallocate implements [File].
func (f diskFile) Preallocate(size int64) error { return preallocate(f.File, size) }
