package durabletest

import (
	"errors"
	"sync"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// SizedFS is the disk of this machine with a size that a test sets, on which
// nothing can be preallocated. The zero value has no space; -1 is unknown.
type SizedFS struct {
	durable.Disk
	mu               sync.Mutex
	available, total int64
}

// NewSizedFS returns a disk of so many bytes.
func NewSizedFS(available, total int64) *SizedFS {
	return &SizedFS{available: available, total: total}
}

// Resize changes the size.
func (f *SizedFS) Resize(available, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.available, f.total = available, total
}

// Space implements durable.FS.
func (f *SizedFS) Space(string) (available, total int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.available, f.total, nil
}

// Create implements durable.FS.
func (f *SizedFS) Create(path string) (durable.File, error) {
	inner, err := f.Disk.Create(path)
	if err != nil {
		return nil, err
	}
	return growingFile{inner}, nil
}

type growingFile struct{ durable.File }

func (growingFile) Preallocate(int64) error { return errors.ErrUnsupported }
