package spool

import "time"

// What a journal does for its reader.

// first returns the oldest segment with its size, nil without one.
func (j *journal) first() (seg *segment, size int64, active bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) == 0 {
		return nil, 0, false
	}
	seg = j.segments[0]
	return seg, seg.size, seg.active
}

// following returns the number of the first record behind the oldest segment,
// written already or not.
func (j *journal) following() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.segments) > 1 {
		return j.segments[1].first
	}
	return j.next
}

// advance notes how far everything is published.
func (j *journal) advance(head uint64, at int64, oldest time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.head = max(j.head, min(head, j.next))
	j.headAt = at
	j.oldest = oldest
}

func (j *journal) setOldest(t time.Time) {
	j.mu.Lock()
	j.oldest = t
	j.mu.Unlock()
}

// saveCursor makes durable that everything before seq is published. Failing it
// costs nothing but duplicates after a restart, but a disk that has failed is
// not to be written to.
func (j *journal) saveCursor(seq uint64) {
	if j.poisoned() != nil {
		return
	}
	var err error
	if j.cursor == nil { // for want of room, at start
		j.cursor, _, err = openCursor(j.fs, j.dir)
	}
	if err == nil {
		err = j.cursor.set(seq)
	}
	switch {
	case err == nil:
	case noSpace(err):
		j.log.Debug("no room for the spool's cursor", "dir", j.dir, "error", err)
	default:
		j.poisonWith(err)
	}
}

// drop takes the oldest segment out of the journal and removes its file, or
// moves it aside when something in it is to be kept. A disk that has failed
// stays as it is.
func (j *journal) drop(seg *segment, keep bool) {
	j.mu.Lock()
	j.segments = j.segments[1:]
	j.size -= seg.size
	dead := j.poison != nil
	j.mu.Unlock()
	switch {
	case dead:
	case keep:
		_ = j.moveAside(segmentName(seg.first)) // it is logged, and found again at the next start
	default:
		j.remove(seg)
	}
}
