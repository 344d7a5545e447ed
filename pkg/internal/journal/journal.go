package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// What waits for the disk at most, and what is synced together. One batch alone
// may be more.
const (
	queueBytes = 32 << 20
	groupBytes = 4 << 20
)

// Journal is the records in a directory. Its methods may be called
// concurrently; the [Reader] is for one goroutine at a time.
type Journal struct {
	opts   Options
	lock   io.Closer
	queue  *coalesce.Queue[*Batch]
	closed chan struct{} // closed when the committer has ended
	// committed tells the reader that there may be something to read.
	committed chan struct{}
	reader    *Reader

	// Locks are taken in the order io, mu; nothing waits for the disk under
	// mu. io is held while the active segment is written, sealed or removed.
	io    sync.Mutex
	out   durable.File // the active segment
	group []byte

	// cursor is the reader's; nil when there was no space for it.
	cursor *cursor

	mu       sync.Mutex
	segments []*segment // oldest first; only the last may be active
	size     int64      // of all segments
	next     uint64     // number of the next record written
	head     uint64     // number of the first record not released
	headAt   int64      // where it is in the first segment
	oldest   time.Time  // when it was made; zero is unknown
	failure  error      // what made the journal read-only
	full     bool
}

// Open locks o.Dir and recovers what is there. A directory that another process
// uses is an error at once. Damage is not: it is logged, counted and
// quarantined, at the latest when the reader gets there. Nor is a full disk.
// The journal must be closed.
func Open(o Options) (_ *Journal, err error) {
	o = o.withDefaults()
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, err
	}
	if err := o.FS.SyncDir(filepath.Dir(o.Dir)); err != nil {
		o.Log.Warn("cannot make the journal's directory durable", "dir", o.Dir, "error", err)
	}
	lock, err := durable.LockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		opts: o, lock: lock, closed: make(chan struct{}), committed: make(chan struct{}, 1),
		queue: coalesce.New[*Batch](coalesce.Config{
			Queue: coalesce.Size{Bytes: queueBytes}, Batch: coalesce.Size{Bytes: groupBytes},
		}),
		head: 1, next: 1,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.closeFiles())
		}
	}()
	if err := j.recoverCursor(); err != nil {
		return nil, err
	}
	if err := j.recoverSegments(); err != nil {
		return nil, err
	}
	j.preallocate()
	j.reader = newReader(j)
	go func() {
		defer close(j.closed)
		j.queue.Serve(j.commit)
	}()
	return j, nil
}

// Reader returns the one reader of the journal.
func (j *Journal) Reader() *Reader { return j.reader }

// Committed receives a value after appends, when the reader may find something.
// Values that nobody has received yet become one.
func (j *Journal) Committed() <-chan struct{} { return j.committed }

// Close commits what is queued and closes the files; appends after it fail with
// ErrClosed. Nobody may use the reader any more. A disk that hangs makes it fail
// after timeout, with the directory still locked.
func (j *Journal) Close(timeout time.Duration) error {
	j.queue.Close()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-j.closed:
	case <-timer.C:
		return fmt.Errorf("%w: what is queued was not written in %s", ErrSlow, timeout)
	}
	j.reader.close()
	return j.closeFiles()
}

func (j *Journal) closeFiles() error {
	if j.out != nil {
		seg := j.segments[len(j.segments)-1]
		j.seal(seg)
		if seg.size == 0 && j.failure == nil {
			j.remove(seg)
		}
	}
	var err error
	if j.cursor != nil {
		err = j.cursor.close()
	}
	return errors.Join(err, j.lock.Close())
}
