// Package durabletest has file systems for tests of what a crash or a failing
// disk leaves behind: [CrashFS] crashes at a chosen step, [FaultFS] fails the
// operations that a test chooses, [SizedFS] has the space that a test gives it.
package durabletest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// ErrCrashed is what every operation of a [CrashFS] fails with after its last
// step.
var ErrCrashed = errors.New("crashed")

// CrashFS is a file system in memory that crashes at a chosen step. What was not
// synced may be lost then, in any part.
//
// What a real file system may lose is described in
// https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai.
type CrashFS struct {
	mu sync.Mutex
	// names is what is there, kept is what is sure to be there after a crash.
	names, kept map[string]*inode
	// steps counts what changes anything; the one numbered last is the last
	// one that happens, or a part of it.
	steps, last int
	rng         *rand.Rand
}

type inode struct{ data, kept []byte }

// NewCrashFS returns an empty file system that crashes at a step, counted from
// 1. The seed decides what a crash destroys.
func NewCrashFS(last int, seed uint64) *CrashFS {
	return &CrashFS{
		names: map[string]*inode{}, kept: map[string]*inode{}, last: last,
		rng: rand.New(rand.NewPCG(seed, uint64(last))),
	}
}

// Steps returns how many steps there were.
func (m *CrashFS) Steps() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.steps
}

// Restart returns what is there when the machine comes up again, or only the
// process; it does not crash.
func (m *CrashFS) Restart(machine bool) *CrashFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := NewCrashFS(1<<30, m.rng.Uint64())
	names := m.names
	if machine {
		names = map[string]*inode{}
		for _, from := range []map[string]*inode{m.names, m.kept} {
			for name, node := range from {
				sure := m.names[name] == node && m.kept[name] == node
				if sure || m.rng.IntN(2) == 0 {
					names[name] = node
				}
			}
		}
	}
	for name, node := range names {
		data := node.data
		if machine {
			data = node.survives(m.rng)
		}
		copied := &inode{bytes.Clone(data), bytes.Clone(data)}
		next.names[name], next.kept[name] = copied, copied
	}
	return next
}

// survives returns the file after a loss of power: any sectors of what was not
// synced, and any of the lengths it has had.
func (n *inode) survives(rng *rand.Rand) []byte {
	size := len(n.kept)
	if rng.IntN(2) == 0 {
		size = len(n.data)
	}
	out := make([]byte, size)
	copy(out, n.kept)
	const sector = 512
	for at := 0; at < size; at += sector {
		if at < len(n.data) && rng.IntN(2) == 0 {
			copy(out[at:min(at+sector, size)], n.data[at:])
		}
	}
	return out
}

// step says whether something may change, and whether it is to be cut short.
func (m *CrashFS) step() (cut bool, err error) {
	m.steps++
	if m.steps > m.last {
		return false, ErrCrashed
	}
	return m.steps == m.last, nil
}

// Create implements durable.FS.
func (m *CrashFS) Create(path string) (durable.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step(); err != nil {
		return nil, err
	}
	if m.names[path] != nil {
		return nil, fs.ErrExist
	}
	m.names[path] = &inode{}
	return &crashFile{m, m.names[path]}, nil
}

// Open implements durable.FS.
func (m *CrashFS) Open(path string) (durable.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if node := m.names[path]; node != nil {
		return &crashFile{m, node}, nil
	}
	return nil, fs.ErrNotExist
}

// OpenWritable implements durable.FS.
func (m *CrashFS) OpenWritable(path string) (durable.File, error) {
	if f, err := m.Open(path); err == nil {
		return f, nil
	}
	return m.Create(path)
}

// Remove implements durable.FS.
func (m *CrashFS) Remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step(); err != nil {
		return err
	}
	delete(m.names, path)
	return nil
}

// Rename implements durable.FS.
func (m *CrashFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step(); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

// MkdirAll implements durable.FS.
func (m *CrashFS) MkdirAll(string) error { return nil }

// List implements durable.FS.
func (m *CrashFS) List(dir string) (infos []durable.FileInfo, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, node := range m.names {
		if filepath.Dir(name) == dir {
			infos = append(infos, durable.FileInfo{Name: filepath.Base(name), Size: int64(len(node.data))})
		}
	}
	return infos, nil
}

// SyncDir implements durable.FS.
func (m *CrashFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cut, err := m.step(); err != nil || cut {
		return ErrCrashed
	}
	for name := range m.kept {
		if filepath.Dir(name) == dir {
			delete(m.kept, name)
		}
	}
	for name, node := range m.names {
		if filepath.Dir(name) == dir {
			m.kept[name] = node
		}
	}
	return nil
}

// Space implements durable.FS: it is not known.
func (m *CrashFS) Space(string) (available, total int64, err error) { return -1, -1, nil }

type crashFile struct {
	m    *CrashFS
	node *inode
}

func (f *crashFile) ReadAt(b []byte, at int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if at >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *crashFile) WriteAt(b []byte, at int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	cut, err := f.m.step()
	if err != nil {
		return 0, err
	}
	if cut {
		b, err = b[:f.m.rng.IntN(len(b))], ErrCrashed
	}
	if grow := int(at) + len(b) - len(f.node.data); grow > 0 {
		f.node.data = append(f.node.data, make([]byte, grow)...)
	}
	return copy(f.node.data[at:], b), err
}

func (f *crashFile) resize(size int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if _, err := f.m.step(); err != nil {
		return err
	}
	if size <= int64(len(f.node.data)) {
		f.node.data = f.node.data[:size]
	} else {
		f.node.data = append(f.node.data, make([]byte, size-int64(len(f.node.data)))...)
	}
	return nil
}

func (f *crashFile) Truncate(size int64) error { return f.resize(size) }

// Preallocate works in two file systems of three.
func (f *crashFile) Preallocate(size int64) error {
	if f.m.last%3 == 0 {
		return errors.ErrUnsupported
	}
	return f.resize(size)
}

func (f *crashFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if cut, err := f.m.step(); err != nil || cut {
		return ErrCrashed
	}
	f.node.kept = bytes.Clone(f.node.data)
	return nil
}

func (f *crashFile) Close() error { return nil }
