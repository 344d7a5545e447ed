package logwriter

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// DefaultLimit is how many bytes a queue holds where nothing asks for
	// another size: some ten thousand lines.
	DefaultLimit = 4 << 20

	// entryOverhead is what an entry costs beside its line, so that very many
	// short lines are bounded too.
	entryOverhead = 64
)

// Writer is an [io.Writer] that neither blocks nor fails. Each Write is one
// line, as log/slog makes it, newline included. Its methods are safe for
// concurrent use.
type Writer struct {
	dst   io.Writer
	limit int

	mu       sync.Mutex
	queue    []entry
	size     int    // of the queue and of what is being written
	missing  uint64 // lines dropped since the newest entry of the queue
	dropping bool   // until half of the queue is free again
	closed   bool
	notice   func(dropped uint64) []byte

	dropped   atomic.Uint64
	wake      chan struct{} // holds one token while there may be something to do
	done      chan struct{} // closed when the goroutine has ended
	abandoned chan struct{} // closed when Close no longer waits for it
	abandon   func()
}

// entry is a line, and how many lines were dropped just before it.
type entry struct {
	line    []byte
	missing uint64
}

func (e entry) size() int { return len(e.line) + entryOverhead }

// New returns a Writer to dst whose queue holds at most limit bytes. It has a
// goroutine, which Close ends.
func New(dst io.Writer, limit int) *Writer {
	w := &Writer{
		dst: dst, limit: limit, notice: plainNotice,
		wake: make(chan struct{}, 1), done: make(chan struct{}), abandoned: make(chan struct{}),
	}
	w.abandon = sync.OnceFunc(func() { close(w.abandoned) })
	go w.run()
	return w
}

func plainNotice(dropped uint64) []byte {
	return fmt.Appendf(nil, "%d lines were dropped here: nobody read them in time\n", dropped)
}

// SetNotice says how the line looks that tells of dropped lines. It is called
// on the Writer's goroutine and must not write to w.
func (w *Writer) SetNotice(notice func(dropped uint64) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notice = notice
}

// Dropped returns how many lines were dropped, whether for want of space or
// because writing them failed.
func (w *Writer) Dropped() uint64 { return w.dropped.Load() }

// Unwrap returns what w writes to, for those who ask whether it is a terminal.
func (w *Writer) Unwrap() io.Writer { return w.dst }

// Write queues a copy of line, or drops it. It never blocks on the destination
// and always reports success.
//
// The newest lines are dropped, not the oldest: what led to a standstill is
// worth more than what was logged during it. Once one is dropped all are until
// half of the queue is free, so that there is one gap with one notice and not a
// line here and there.
func (w *Writer) Write(line []byte) (int, error) {
	if w.enqueue(line) {
		w.wakeUp()
	} else {
		w.dropped.Add(1)
	}
	return len(line), nil
}

func (w *Writer) enqueue(line []byte) bool {
	e := entry{line: line}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dropping && w.size <= w.limit/2 {
		w.dropping = false
	}
	if w.closed || w.dropping || w.size+e.size() > w.limit {
		w.dropping = true
		w.missing++
		return false
	}
	e.line = bytes.Clone(line) // the caller keeps its own
	e.missing, w.missing = w.missing, 0
	w.queue = append(w.queue, e)
	w.size += e.size()
	return true
}

// Close writes out what is queued, for at most timeout, and ends the Writer.
// It reports whether everything was written or given up on in time; if not, the
// goroutine stays in the write that blocks. Lines written later are dropped.
func (w *Writer) Close(timeout time.Duration) bool {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wakeUp()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-w.done:
		return true
	case <-timer.C:
		w.abandon()
		return false
	}
}

func (w *Writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
