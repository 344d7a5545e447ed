package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// journal is the records on disk: appended to by a committer of its own, read
// and removed by one reader.
//
// Locks are taken in the order io, mu; nothing waits for the disk under mu.
type journal struct {
	cfg          Config
	dir          string
	segmentBytes int64
	fs           files
	log          *slog.Logger
	metrics      *metrics
	lock         io.Closer
	queue        *queue
	committed    chan struct{} // closed when the committer has ended
	// busySince is when the commit under way began, Unix nanoseconds; zero
	// without one.
	busySince atomic.Int64
	// arrived tells the drainer that there is something to read.
	arrived chan struct{}

	// io is held while the active segment is written, sealed or removed.
	io    sync.Mutex
	out   file // the active segment
	group []byte

	// cursor is the drainer's.
	cursor *cursor

	mu       sync.Mutex
	segments []*segment // oldest first; only the last may be active
	size     int64      // of all segments
	next     uint64     // number of the next record written
	head     uint64     // number of the first record not published
	headAt   int64      // where it is in the first segment
	oldest   time.Time  // when it was made; zero is unknown
	poison   error
	full     bool
}

// openJournal locks cfg.Dir and reads what is there. Only a directory that
// cannot be used at all is an error: damage and a full disk are not.
func openJournal(cfg Config, segmentBytes int64, fs files, log *slog.Logger, m *metrics) (_ *journal, err error) {
	if err := fs.mkdir(cfg.Dir); err != nil {
		return nil, err
	}
	if err := fs.syncDir(filepath.Dir(cfg.Dir)); err != nil {
		log.Warn("cannot make the spool's directory durable", "dir", cfg.Dir, "error", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	j := &journal{
		cfg: cfg, dir: cfg.Dir, segmentBytes: segmentBytes, fs: fs, log: log, metrics: m, lock: lock,
		queue: newQueue(), committed: make(chan struct{}), arrived: make(chan struct{}, 1),
		head: 1, next: 1,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.closeFiles())
		}
	}()
	if err := j.loadCursor(); err != nil {
		return nil, err
	}
	if err := j.loadSegments(); err != nil {
		return nil, err
	}
	j.prepare()
	go j.commitLoop()
	return j, nil
}

// loadCursor sets head to where the last process stopped publishing. Without a
// cursor everything is published again, which is harmless.
func (j *journal) loadCursor() error {
	c, seq, err := openCursor(j.fs, j.dir)
	if errors.Is(err, errNoCursor) {
		j.log.Error("the spool's cursor cannot be read: what is in the spool may be published twice",
			"dir", j.dir, "error", err, "kept_in", filepath.Join(j.dir, corruptDir))
		j.metrics.corrupt.WithLabelValues(kindCursor).Inc()
		if err := j.moveAside(cursorName); err != nil {
			return fmt.Errorf("open spool cursor: %w", err)
		}
		c, seq, err = openCursor(j.fs, j.dir)
	}
	switch {
	case noSpace(err):
		j.log.Warn("no room for the spool's cursor: what is published may be published again after a restart", "dir", j.dir, "error", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open spool cursor: %w", err)
	case err != nil:
		j.poisonWith(err)
	}
	j.cursor = c
	j.head = max(seq, 1)
	return nil
}

// loadSegments finds the segments and where numbering goes on.
func (j *journal) loadSegments() error {
	infos, err := j.fs.list(j.dir)
	if err != nil {
		return fmt.Errorf("list spool: %w", err)
	}
	for _, info := range infos {
		first, ok := segmentFirst(info.name)
		if !ok {
			continue
		}
		seg := &segment{first: first, size: info.size}
		if info.size == 0 {
			j.remove(seg)
			continue
		}
		j.segments = append(j.segments, seg)
	}
	slices.SortFunc(j.segments, func(a, b *segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	for len(j.segments) > 1 && j.segments[1].first <= j.head {
		j.remove(j.segments[0])
		j.segments = j.segments[1:]
	}
	j.inheritLast()
	for _, seg := range j.segments {
		j.size += seg.size
	}
	if len(j.segments) > 0 && j.head == 1 {
		j.head = j.segments[0].first // there was no cursor yet
	}
	return nil
}

// inheritLast finds out where the last segment ends, and with it where
// numbering goes on. A last segment without a single record is set aside, so
// that its name can be used.
func (j *journal) inheritLast() {
	j.next = j.head
	for n := len(j.segments); n > 0; n-- {
		last := j.segments[n-1]
		end := j.findEnd(last)
		if end.unused == last.first && end.size == 0 {
			j.remove(last) // it was reserved and not used
			j.segments = j.segments[:n-1]
			continue
		}
		if end.unused == last.first && j.moveAside(segmentName(last.first)) == nil {
			j.segments = j.segments[:n-1]
			kind := kindDamaged
			if end.bad.flaw == torn {
				kind = kindTorn
			}
			j.report(kind, 1, "nothing can be read in the last spool segment", last, end.bad)
			continue
		}
		last.inherited, last.end, last.size = true, end.next, end.size
		j.next = max(j.next, last.first+1, end.unused)
		return
	}
}

// ending is what a segment comes to.
type ending struct {
	// next is the number behind the last record that can be read, unused one
	// that no record has.
	next, unused uint64
	// size is where the file ends but for zeros.
	size int64
	// bad are the last bytes that are no record.
	bad stretch
}

// findEnd reads seg to its end, and gives back the room that was reserved
// behind it.
func (j *journal) findEnd(seg *segment) ending {
	// What holds when it cannot be read.
	end := ending{next: seg.first, unused: seg.first + uint64(seg.size/headerSize) + 1, size: seg.size}
	f, err := j.fs.open(j.path(seg), true)
	if err != nil {
		return end
	}
	defer func() { _ = f.Close() }()
	s := scanner{src: f, end: seg.size}
	for {
		rec, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			end.unused, end.size = end.next, s.pos
			if s.pos < seg.size {
				_ = f.Truncate(s.pos) // it is only room
			}
			return end
		case err != nil:
			return end
		case rec.flaw == sound:
			end.next = max(end.next, rec.seq+1)
		default:
			end.bad = rec
		}
	}
}

// remove deletes a segment's file. A file that stays is found to be published
// at the next start.
func (j *journal) remove(seg *segment) {
	if err := j.fs.remove(j.path(seg)); err != nil {
		j.log.Warn("cannot remove a spool segment that is published", "file", j.path(seg), "error", err)
	}
}

// backlog returns what is not published yet, and when the oldest of it was
// made: zero when there is nothing, or it is not known.
func (j *journal) backlog() (events, bytes int64, oldest time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next <= j.head {
		return 0, 0, time.Time{}
	}
	return int64(j.next - j.head), max(j.size-j.headAt, 0), j.oldest
}

// check says whether the disk takes events now: nil, or why not.
func (j *journal) check() *refusal {
	if err := j.poisoned(); err != nil {
		return poisoned(err)
	}
	if r := j.stalled(j.cfg.Deadline + j.cfg.CommitTimeout); r != nil {
		return r
	}
	_, r := j.room()
	return r
}

// stalled says whether the commit under way takes longer than a request of such
// patience waits.
func (j *journal) stalled(patience time.Duration) *refusal {
	since := j.busySince.Load()
	if since == 0 {
		return nil
	}
	if took := time.Duration(time.Now().UnixNano() - since); took > patience {
		return slow("a write has taken %s so far", took.Round(time.Millisecond))
	}
	return nil
}

// poisoned returns the failure after which nothing is written any more.
func (j *journal) poisoned() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.poison
}

// poisonWith gives the disk up until the next start.
func (j *journal) poisonWith(err error) {
	j.mu.Lock()
	first := j.poison == nil
	if first {
		j.poison = err
	}
	j.mu.Unlock()
	if first {
		j.log.Error("the spool's disk has failed: nothing is spooled until a restart; check the disk",
			"dir", j.dir, "error", err)
	}
}

// close commits what is queued and closes the files. The reader must have
// stopped. A disk that hangs makes it fail after the given time, with the
// directory still locked.
func (j *journal) close(patience time.Duration) error {
	j.queue.close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-j.committed:
	case <-timer.C:
		return fmt.Errorf("the disk has not taken what is queued for %s", patience)
	}
	return j.closeFiles()
}

func (j *journal) closeFiles() error {
	var errs []error
	if j.out != nil {
		seg := j.segments[len(j.segments)-1]
		j.retire(seg)
		if seg.size == 0 && j.poison == nil {
			j.remove(seg)
		}
	}
	if j.cursor != nil {
		errs = append(errs, j.cursor.close())
	}
	return errors.Join(append(errs, j.lock.Close())...)
}
