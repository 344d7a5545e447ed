package durabletest

import (
	"sync"
	"syscall"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// ErrDisk is what a broken disk answers.
var ErrDisk error = syscall.EIO

// Op is an operation that a [FaultFS] can fail.
type Op string

// The operations.
const (
	OpCreate   Op = "create"
	OpOpen     Op = "open" // for reading and for writing
	OpSyncDir  Op = "sync directory"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
)

// FaultFS is the disk with faults in it. Its methods may be called concurrently.
type FaultFS struct {
	durable.FS
	mu     sync.Mutex
	faults map[Op]func(path string) error
	counts map[count]int
	// partial is how much of a write that fails happens all the same.
	partial int
}

type count struct {
	op   Op
	path string
}

// NewFaultFS returns the disk of this machine without a fault.
func NewFaultFS() *FaultFS {
	return &FaultFS{FS: durable.Disk{}, faults: map[Op]func(string) error{}, counts: map[count]int{}}
}

// Fail makes an operation call fault from now on, and fail with what it returns
// unless that is nil. A nil fault ends that.
func (f *FaultFS) Fail(op Op, fault func(path string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[op] = fault
}

// FailWrites makes writes call fault as Fail does; of one that fails n bytes at
// most happen all the same.
func (f *FaultFS) FailWrites(n int, fault func(path string) error) {
	f.Fail(OpWrite, fault)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.partial = n
}

// Heal ends all faults.
func (f *FaultFS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.faults)
}

// Count returns how often an operation was called for files that match.
func (f *FaultFS) Count(op Op, match func(path string) bool) (sum int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, n := range f.counts {
		if c.op == op && match(c.path) {
			sum += n
		}
	}
	return sum
}

func (f *FaultFS) fault(op Op, path string) error {
	f.mu.Lock()
	f.counts[count{op, path}]++
	fault := f.faults[op]
	f.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(path)
}

// Create implements durable.FS.
func (f *FaultFS) Create(path string) (durable.File, error) {
	return f.open(OpCreate, path, f.FS.Create)
}

// Open implements durable.FS.
func (f *FaultFS) Open(path string) (durable.File, error) {
	return f.open(OpOpen, path, f.FS.Open)
}

// OpenWritable implements durable.FS.
func (f *FaultFS) OpenWritable(path string) (durable.File, error) {
	return f.open(OpOpen, path, f.FS.OpenWritable)
}

func (f *FaultFS) open(op Op, path string, open func(string) (durable.File, error)) (durable.File, error) {
	if err := f.fault(op, path); err != nil {
		return nil, err
	}
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f, path}, nil
}

// SyncDir implements durable.FS.
func (f *FaultFS) SyncDir(dir string) error {
	if err := f.fault(OpSyncDir, dir); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

type faultFile struct {
	durable.File
	f    *FaultFS
	path string
}

func (w *faultFile) ReadAt(b []byte, at int64) (int, error) {
	if err := w.f.fault(OpRead, w.path); err != nil {
		return 0, err
	}
	return w.File.ReadAt(b, at)
}

func (w *faultFile) WriteAt(b []byte, at int64) (int, error) {
	if err := w.f.fault(OpWrite, w.path); err != nil {
		w.f.mu.Lock()
		n := min(w.f.partial, len(b))
		w.f.mu.Unlock()
		n, _ = w.File.WriteAt(b[:n], at)
		return n, err
	}
	return w.File.WriteAt(b, at)
}

func (w *faultFile) Truncate(size int64) error {
	if err := w.f.fault(OpTruncate, w.path); err != nil {
		return err
	}
	return w.File.Truncate(size)
}

func (w *faultFile) Sync() error {
	if err := w.f.fault(OpSync, w.path); err != nil {
		return err
	}
	return w.File.Sync()
}
