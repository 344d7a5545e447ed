package spool

import (
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// faulty is the disk with faults in it. A nil hook does nothing.
type faulty struct {
	disk
	mu sync.Mutex
	// onWrite may fail a write after part of it; onSync, onRead, onOpen,
	// onCreate and onSyncDir may fail what they are named after.
	onWrite               func(name string, b []byte) (int, error)
	onSync, onRead        func(name string) error
	onOpen, onCreate      func(name string) error
	onSyncDir, onTruncate func(name string) error
	writes, syncs         map[string]int
}

func newFaulty() *faulty {
	return &faulty{writes: map[string]int{}, syncs: map[string]int{}}
}

// set changes hooks.
func (f *faulty) set(change func(f *faulty)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *faulty) hook(get func(f *faulty) func(string) error, name string) error {
	f.mu.Lock()
	hook := get(f)
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(name)
}

func (f *faulty) counts(name string) (writes, syncs int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes[name], f.syncs[name]
}

func kindOf(path string) string {
	base := filepath.Base(path)
	if strings.HasSuffix(base, segmentSuffix) {
		return "segment"
	}
	return base
}

func (f *faulty) create(path string) (file, error) {
	if err := f.hook(func(f *faulty) func(string) error { return f.onCreate }, path); err != nil {
		return nil, err
	}
	return f.wrap(path)(f.disk.create(path))
}

func (f *faulty) open(path string, write bool) (file, error) {
	if err := f.hook(func(f *faulty) func(string) error { return f.onOpen }, path); err != nil {
		return nil, err
	}
	return f.wrap(path)(f.disk.open(path, write))
}

func (f *faulty) syncDir(dir string) error {
	if err := f.hook(func(f *faulty) func(string) error { return f.onSyncDir }, dir); err != nil {
		return err
	}
	return f.disk.syncDir(dir)
}

func (f *faulty) wrap(path string) func(file, error) (file, error) {
	return func(inner file, err error) (file, error) {
		if err != nil {
			return nil, err
		}
		return &faultyFile{inner, f, path}, nil
	}
}

type faultyFile struct {
	file
	f    *faulty
	path string
}

func (w *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	w.f.mu.Lock()
	w.f.writes[kindOf(w.path)]++
	hook := w.f.onWrite
	w.f.mu.Unlock()
	if hook != nil {
		if n, err := hook(w.path, b); err != nil {
			n, _ = w.file.WriteAt(b[:n], at)
			return n, err
		}
	}
	return w.file.WriteAt(b, at)
}

func (w *faultyFile) ReadAt(b []byte, at int64) (int, error) {
	if err := w.f.hook(func(f *faulty) func(string) error { return f.onRead }, w.path); err != nil {
		return 0, err
	}
	return w.file.ReadAt(b, at)
}

func (w *faultyFile) Truncate(size int64) error {
	if err := w.f.hook(func(f *faulty) func(string) error { return f.onTruncate }, w.path); err != nil {
		return err
	}
	return w.file.Truncate(size)
}

func (w *faultyFile) Sync() error {
	w.f.mu.Lock()
	w.f.syncs[kindOf(w.path)]++
	w.f.mu.Unlock()
	if err := w.f.hook(func(f *faulty) func(string) error { return f.onSync }, w.path); err != nil {
		return err
	}
	return w.file.Sync()
}

// onSegments makes a hook for segments only.
func onSegments(err error) func(string) error {
	return func(path string) error {
		if kindOf(path) == "segment" {
			return err
		}
		return nil
	}
}

var errDisk error = syscall.EIO
