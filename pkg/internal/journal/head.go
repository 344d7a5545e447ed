package journal

import (
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// What a journal does for its reader, who moves the head.

// firstSegment returns the oldest segment with its size, nil without one.
func (j *Journal) firstSegment() (seg *segment, size int64, active bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return nil, 0, false
	}
	seg = j.segments[0]
	return seg, seg.size, seg.active
}

// afterFirstSegment returns the number of the first record behind the oldest
// segment, written already or not.
func (j *Journal) afterFirstSegment() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) > 1 {
		return j.segments[1].first
	}
	return j.next
}

// advance moves the head to a record and where it is in the first segment.
func (j *Journal) advance(head uint64, at int64, oldest time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.head = max(j.head, min(head, j.next))
	j.headAt = at
	j.oldest = oldest
}

func (j *Journal) setOldest(t time.Time) {
	j.mu.Lock()
	j.oldest = t
	j.mu.Unlock()
}

// saveCursor makes durable that everything before seq is released. Failing it
// costs nothing but records read twice after a restart, but a disk that has
// failed is not to be written to.
func (j *Journal) saveCursor(seq uint64) {
	if j.Err() != nil {
		return
	}
	var err error
	if j.cursor == nil { // for want of space, at start
		j.cursor, _, err = openCursor(j.opts.FS, j.opts.Dir)
	}
	if err == nil {
		err = j.cursor.set(seq)
	}
	switch {
	case err == nil:
	case durable.IsNoSpace(err):
		j.opts.Log.Debug("no space for the journal's cursor", "dir", j.opts.Dir, "error", err)
	default:
		_ = j.fail(err)
	}
}

// dropFirst takes the oldest segment out of the journal and removes its file, or
// quarantines it when something in it is to be kept. A disk that has failed
// stays as it is.
func (j *Journal) dropFirst(seg *segment, keep bool) {
	j.mu.Lock()
	j.segments = j.segments[1:]
	j.size -= seg.size
	readOnly := j.failure != nil
	j.mu.Unlock()
	switch {
	case readOnly:
	case keep:
		_ = j.quarantineFile(segmentName(seg.first)) // it is logged, and found again at the next start
	default:
		j.remove(seg)
	}
}
