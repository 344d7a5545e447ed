// Package coalesce makes batches of what many callers want done, so that work
// whose price is by the batch, such as a pipeline to a server or an fsync, is
// shared by all who come at about the same time (group commit).
//
// A [Queue] is bounded in items and in bytes. Callers enqueue one value each
// and either wait for its outcome, each with a time limit of its own, or go on.
// One or more goroutines serve the queue: whatever has arrived while a batch
// was under way makes up the next one, so batches grow with the load and no
// caller waits for company without it.
package coalesce

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

var (
	// ErrClosed says that the queue takes nothing any more.
	ErrClosed = errors.New("the queue is closed")
	// ErrFull says that the queue holds as much as it may.
	ErrFull = errors.New("the queue is full")
	// ErrStalled says that every server has been at work on its batch for
	// longer than the caller would wait. It is a time-out.
	ErrStalled = fmt.Errorf("nothing under way was answered: %w", os.ErrDeadlineExceeded)
)

// Size is what a value counts for.
type Size struct {
	Items int
	Bytes int
}

func (s *Size) add(o Size) { s.Items += o.Items; s.Bytes += o.Bytes }
func (s *Size) sub(o Size) { s.Items -= o.Items; s.Bytes -= o.Bytes }

// fits reports whether o more stays within limit.
func (s Size) fits(o, limit Size) bool {
	return s.Items+o.Items <= limit.Items && s.Bytes+o.Bytes <= limit.Bytes
}

// Config bounds a queue. A bound that is 0 is none.
type Config struct {
	// Queue is the most that the queue holds. One value larger than that is
	// taken when there is no other.
	Queue Size
	// Batch is the most that a batch holds, unless one value alone is more.
	Batch Size
	// CountServed makes a value count against Queue until its batch is done;
	// otherwise it counts until it is dequeued.
	CountServed bool
	// Observe, which may be nil, is told by how many items each change makes
	// the queue longer or shorter. It is called with the queue locked, so it
	// must be quick and must not call the queue.
	Observe func(items int)
}

// Queue collects values of one kind. Its methods may be called concurrently.
// An abandoned value counts until a server has passed it, so that the queue
// fills and callers fail at once while nothing is served.
type Queue[T any] struct {
	cfg Config

	mu      sync.Mutex
	arrived sync.Cond // entries or closed
	entries []*Entry[T]
	head    int // entries[:head] are dequeued
	held    Size
	closed  bool

	servers, busy int
	started       time.Time // when the latest batch was dequeued
}

// New returns an empty queue that nobody serves yet.
func New[T any](cfg Config) *Queue[T] {
	const unlimited = int(^uint(0) >> 2)
	for _, bound := range []*int{&cfg.Queue.Items, &cfg.Queue.Bytes, &cfg.Batch.Items, &cfg.Batch.Bytes} {
		if *bound <= 0 {
			*bound = unlimited
		}
	}
	q := &Queue[T]{cfg: cfg}
	q.arrived.L = &q.mu
	return q
}

// Do enqueues value and waits until a server has completed it, and returns
// what it was completed with. It returns earlier, with an error, when timeout
// has passed or ctx has ended: then the value is taken out of the work if no
// server has it yet, and otherwise its outcome is not known. The error after a
// time-out wraps os.ErrDeadlineExceeded.
//
// It fails at once, with nothing done, with [ErrFull], [ErrStalled] or
// [ErrClosed].
func (q *Queue[T]) Do(ctx context.Context, timeout time.Duration, value T, size Size) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := &Entry[T]{Value: value, Size: size, done: make(chan error, 1)}
	if err := q.put(e, timeout); err != nil {
		return err
	}
	return e.wait(ctx, timeout)
}

// Enqueue leaves value to be served and does not wait. It fails with [ErrFull]
// or [ErrClosed].
func (q *Queue[T]) Enqueue(value T, size Size) error {
	return q.put(&Entry[T]{Value: value, Size: size}, 0)
}

// put appends e. A timeout of 0 is willing to wait for ever.
func (q *Queue[T]) put(e *Entry[T], timeout time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.held.Items > 0 && !q.held.fits(e.Size, q.cfg.Queue):
		return ErrFull
	case timeout > 0 && q.stalled() > timeout:
		// Even the youngest batch is older than this caller may get, so
		// waiting behind it is in vain.
		return ErrStalled
	}
	q.compact()
	q.entries = append(q.entries, e)
	q.hold(e.Size)
	q.arrived.Signal()
	return nil
}

// compact moves the entries to the front of their slice once more than half of
// it is used up, so that its memory stays in proportion to what waits.
func (q *Queue[T]) compact() {
	if q.head <= 64 || q.head <= len(q.entries)/2 {
		return
	}
	n := copy(q.entries, q.entries[q.head:])
	clear(q.entries[n:])
	q.entries, q.head = q.entries[:n], 0
}

func (q *Queue[T]) hold(s Size) {
	q.held.add(s)
	if q.cfg.Observe != nil {
		q.cfg.Observe(s.Items)
	}
}

func (q *Queue[T]) release(s Size) {
	q.held.sub(s)
	if q.cfg.Observe != nil {
		q.cfg.Observe(-s.Items)
	}
}

// Held returns what counts against the bound of the queue.
func (q *Queue[T]) Held() Size {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}

// Stalled returns for how long every server has been busy with the batch it
// has, 0 when one of them is free or there is none.
func (q *Queue[T]) Stalled() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stalled()
}

func (q *Queue[T]) stalled() time.Duration {
	if q.servers == 0 || q.busy < q.servers {
		return 0
	}
	return time.Since(q.started)
}

// Close makes the queue take nothing more. What it holds is still served, and
// then the servers return.
func (q *Queue[T]) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.arrived.Broadcast()
}

// Discard drops what waits to be served and returns how much that was. Callers
// that wait for it are answered with [ErrClosed].
func (q *Queue[T]) Discard() (dropped Size) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.entries[q.head:] {
		q.release(e.Size)
		if e.state.CompareAndSwap(stateWaiting, stateDequeued) {
			dropped.add(e.Size)
			e.Complete(ErrClosed)
		}
	}
	q.entries, q.head = nil, 0
	return dropped
}

// yield lets whoever else can run enqueue first, because a batch of one costs
// nearly what one of thirty does. When nobody can, it is over at once.
func (q *Queue[T]) yield() {
	q.mu.Unlock()
	runtime.Gosched()
	q.mu.Lock()
}

// Busy returns how many servers have a batch under way.
func (q *Queue[T]) Busy() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy
}
