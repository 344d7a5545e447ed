package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var errCrashed = errors.New("crashed")

// memory is a file system that crashes at a chosen step. What was not synced
// may be lost then, in any part.
type memory struct {
	mu sync.Mutex
	// names is what is there, kept is what is sure to be there after a crash.
	names, kept map[string]*inode
	// steps counts what changes anything; the one numbered last is the last
	// one that happens, or a part of it.
	steps, last int
	rng         *rand.Rand
}

type inode struct{ data, kept []byte }

func newMemory(last int, seed uint64) *memory {
	return &memory{names: map[string]*inode{}, kept: map[string]*inode{}, last: last, rng: rand.New(rand.NewPCG(seed, uint64(last)))}
}

// step says whether something may change, and whether it is to be cut short.
func (m *memory) step() (cut bool, err error) {
	m.steps++
	if m.steps > m.last {
		return false, errCrashed
	}
	return m.steps == m.last, nil
}

// restarted returns what is there when the machine comes up again, or only the
// process.
func (m *memory) restarted(machine bool) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := newMemory(1<<30, m.rng.Uint64())
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

func (m *memory) create(path string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step(); err != nil {
		return nil, err
	}
	if m.names[path] != nil {
		return nil, fs.ErrExist
	}
	m.names[path] = &inode{}
	return &memoryFile{m, m.names[path]}, nil
}

func (m *memory) open(path string, write bool) (file, error) {
	m.mu.Lock()
	node := m.names[path]
	m.mu.Unlock()
	switch {
	case node != nil:
		return &memoryFile{m, node}, nil
	case write:
		return m.create(path)
	}
	return nil, fs.ErrNotExist
}

func (m *memory) remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step(); err != nil {
		return err
	}
	delete(m.names, path)
	return nil
}

func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.step(); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *memory) mkdir(string) error { return nil }

func (m *memory) list(dir string) (infos []fileInfo, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, node := range m.names {
		if filepath.Dir(name) == dir {
			infos = append(infos, fileInfo{filepath.Base(name), int64(len(node.data))})
		}
	}
	return infos, nil
}

func (m *memory) syncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cut, err := m.step(); err != nil || cut {
		return errCrashed
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

func (m *memory) space(string) (free, total int64, err error) { return -1, -1, nil }

type memoryFile struct {
	m    *memory
	node *inode
}

func (f *memoryFile) ReadAt(b []byte, at int64) (int, error) {
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

func (f *memoryFile) WriteAt(b []byte, at int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	cut, err := f.m.step()
	if err != nil {
		return 0, err
	}
	if cut {
		b, err = b[:f.m.rng.IntN(len(b))], errCrashed
	}
	if grow := int(at) + len(b) - len(f.node.data); grow > 0 {
		f.node.data = append(f.node.data, make([]byte, grow)...)
	}
	return copy(f.node.data[at:], b), err
}

func (f *memoryFile) resize(size int64) error {
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

func (f *memoryFile) Truncate(size int64) error { return f.resize(size) }

func (f *memoryFile) Reserve(size int64) error {
	if f.m.rng == nil || f.m.last%3 == 0 {
		return errors.ErrUnsupported
	}
	return f.resize(size)
}

func (f *memoryFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if cut, err := f.m.step(); err != nil || cut {
		return errCrashed
	}
	f.node.kept = bytes.Clone(f.node.data)
	return nil
}

func (f *memoryFile) Close() error { return nil }

// live lets a spool take events, drain some and take more, on a disk that may
// crash at any step. It returns what was acknowledged.
func live(t *testing.T, dir string, fs files, s *stream) (acked []uuid.UUID) {
	t.Helper()
	cfg := quick(dir)
	cfg.ProbeInterval = time.Millisecond
	cfg.DrainBatch = 8
	l := &logs{}
	spool, err := open(cfg, s, l.logger(), nil, fs, 3<<10)
	if err != nil {
		require.ErrorIs(t, err, errCrashed)
		return nil
	}
	publish := func(groups int) {
		s.set(refuses)
		for n := range groups {
			events := makeEvents(1 + n%4)
			if spool.Publish(context.Background(), events) == nil {
				acked = append(acked, ids(events)...)
			}
		}
	}
	drain := func(below int64) {
		s.set(takes)
		d := &drainer{Spool: spool, most: cfg.DrainBatch, size: cfg.DrainBatch}
		for {
			if left, _ := spool.Backlog(); left <= below {
				return
			}
			d.step(context.Background())
		}
	}
	publish(12)
	drain(10)
	publish(8)
	drain(0)
	publish(6)
	_ = spool.Close() // fails after a crash
	return acked
}

// Whatever step a process or a machine dies at, what was acknowledged is on
// the stream or is found again.
func TestCrashAtEveryStep(t *testing.T) {
	full := newMemory(1<<30, 1)
	live(t, t.TempDir(), full, newStream(refuses))
	require.Greater(t, full.steps, 100)
	rounds := uint64(3)
	if testing.Short() {
		rounds = 1
	}
	for step := 1; step <= full.steps+1; step++ {
		for round := range rounds {
			for _, machine := range []bool{false, true} {
				crashAt(t, step, round, machine)
			}
		}
	}
	t.Logf("%d steps", full.steps)
}

func crashAt(t *testing.T, step int, seed uint64, machine bool) {
	t.Helper()
	dir := memoryDir(t)
	disk, s := newMemory(step, seed), newStream(refuses)
	acked := live(t, dir, disk, s)
	after := disk.restarted(machine)
	again := start(t, quick(dir), newStream(takes), withFiles(after), withSegments(3<<10))
	stop := again.run(t)
	again.drained(t)
	stop()
	for _, id := range acked {
		if s.times[id] == 0 && again.stream.times[id] == 0 {
			t.Fatalf("step %d, seed %d, machine %v: %s was acknowledged and is lost\n%s", step, seed, machine, id, again.logs)
		}
	}
	if !machine {
		require.NotContains(t, again.logs.String(), "ERROR", "step %d", step)
	}
	again.stop()
}

// FuzzCrash does the same with random losses.
func FuzzCrash(f *testing.F) {
	f.Add(40, uint64(1))
	f.Fuzz(func(t *testing.T, step int, seed uint64) {
		if step < 1 || step > 300 {
			return
		}
		crashAt(t, step, seed, true)
	})
}
