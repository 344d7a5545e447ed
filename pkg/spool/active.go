package spool

import (
	"errors"
	"fmt"
)

// leastRoom is what the smallest request needs, about.
const leastRoom = 1 << 10

// room returns how many bytes a group may have, or why there is no room for
// any.
func (j *journal) room() (int64, *refusal) {
	j.mu.Lock()
	left := int64(0)
	if seg := j.active(); seg != nil {
		left = max(seg.reserved-seg.size, 0)
	}
	j.mu.Unlock()
	// What is reserved is there, whatever has become of the disk since.
	unused, refused := j.unused()
	if room := max(left, unused); room >= leastRoom {
		return room, nil
	}
	if refused == nil {
		refused = full("%d bytes are left of it", max(left, unused))
	}
	return 0, refused
}

// unused returns how many bytes may be added beside the active segment, or why
// there is no room for any.
func (j *journal) unused() (int64, *refusal) {
	j.mu.Lock()
	room := j.cfg.MaxBytes - j.size
	j.mu.Unlock()
	if room < leastRoom {
		return 0, full("it holds spool.max_bytes, %d", j.cfg.MaxBytes)
	}
	free, total, err := j.fs.space(j.dir)
	if err != nil || free < 0 {
		return room, nil // the write will tell
	}
	if left := free - min(j.cfg.MinFreeBytes, total/10); left < room {
		room = left
	}
	if room < leastRoom {
		return 0, full("%d of %d bytes of the disk are free", free, total)
	}
	return room, nil
}

// active returns the segment that is appended to, nil without one. The caller
// holds mu.
func (j *journal) active() *segment {
	if n := len(j.segments); n > 0 && j.segments[n-1].active {
		return j.segments[n-1]
	}
	return nil
}

// activate returns a segment to append so many bytes to, a new one when they
// do not fit into the one there is. The caller holds io.
func (j *journal) activate(need int64) (*segment, error) {
	j.mu.Lock()
	seg := j.active()
	j.mu.Unlock()
	if seg != nil {
		if seg.size == 0 || seg.size+need <= j.limit(seg) {
			return seg, nil
		}
		j.retire(seg)
	}
	return j.begin(need)
}

// limit returns how large the active segment may get.
func (j *journal) limit(seg *segment) int64 {
	if seg.reserved > 0 {
		return seg.reserved
	}
	return j.segmentBytes
}

// begin makes a new active segment of at least so many bytes. Its room on the
// disk is reserved where that can be had: then a commit changes nothing but
// the file's contents, and does not wait for what else the file system has to
// write down.
func (j *journal) begin(need int64) (*segment, error) {
	room, refused := j.unused()
	if refused != nil {
		j.setFull(refused)
		return nil, refused
	}
	j.mu.Lock()
	seg := &segment{first: j.next, active: true}
	j.mu.Unlock()
	f, err := j.fs.create(j.path(seg))
	switch {
	case noSpace(err):
		refused := full("%w", err)
		j.setFull(refused)
		return nil, refused
	case tooManyFiles(err):
		return nil, fmt.Errorf("create segment: %w", err)
	case err != nil:
		j.poisonWith(err)
		return nil, poisoned(err)
	}
	size := max(min(j.segmentBytes, room), need)
	switch err := f.Reserve(size); {
	case err == nil:
		seg.reserved = size
	case errors.Is(err, errors.ErrUnsupported):
	default:
		// Then the write will tell.
		if err := f.Truncate(0); err != nil {
			j.poisonWith(err)
			return nil, errors.Join(poisoned(err), f.Close())
		}
	}
	// Without its name the file is lost, however well it is synced.
	if err := j.fs.syncDir(j.dir); err != nil {
		j.poisonWith(err)
		return nil, errors.Join(poisoned(err), f.Close())
	}
	j.out = f
	j.mu.Lock()
	j.segments = append(j.segments, seg)
	j.mu.Unlock()
	return seg, nil
}

// prepare makes the active segment before it is needed, so that the first
// requests of an outage do not wait for it. The caller holds io.
func (j *journal) prepare() {
	j.mu.Lock()
	there := j.active() != nil || j.poison != nil
	j.mu.Unlock()
	if there {
		return
	}
	if room, refused := j.unused(); refused != nil || room < j.segmentBytes {
		return
	}
	if _, err := j.begin(leastRoom); err != nil {
		return // it is logged, and met again by the next request
	}
	if err := j.out.Sync(); err != nil {
		j.poisonWith(err)
	}
}

// retire ends the appending to the active segment. Its records are synced
// already. The caller holds io.
func (j *journal) retire(seg *segment) {
	var err error
	if j.poisoned() == nil {
		err = j.out.Truncate(seg.size) // what is reserved and not used
	}
	if err = errors.Join(err, j.out.Close()); err != nil {
		j.log.Warn("cannot close a spool segment", "file", j.path(seg), "error", err)
	}
	j.out = nil
	j.mu.Lock()
	seg.active, seg.reserved = false, 0
	j.mu.Unlock()
}
