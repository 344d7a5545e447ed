package journal

import (
	"errors"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// active returns the segment that is appended to, nil without one. The caller
// holds mu.
func (j *Journal) active() *segment {
	if n := len(j.segments); n > 0 && j.segments[n-1].active {
		return j.segments[n-1]
	}
	return nil
}

// activate returns a segment to append so many bytes to, a new one when they do
// not fit into the one there is. The caller holds io.
func (j *Journal) activate(need int64) (*segment, error) {
	j.mu.Lock()
	seg := j.active()
	j.mu.Unlock()
	if seg != nil {
		if seg.size == 0 || seg.size+need <= j.maxSize(seg) {
			return seg, nil
		}
		j.seal(seg)
	}
	return j.begin(need)
}

// maxSize returns how large the active segment may get.
func (j *Journal) maxSize(seg *segment) int64 {
	if seg.preallocated > 0 {
		return seg.preallocated
	}
	return j.opts.SegmentBytes
}

// begin makes a new active segment of at least so many bytes. Its space on the
// disk is preallocated where that can be had: then a commit changes nothing but
// the file's contents, and fdatasync has no metadata to write
// (https://man7.org/linux/man-pages/man2/fdatasync.2.html).
func (j *Journal) begin(need int64) (*segment, error) {
	free, err := j.unallocated()
	if err != nil {
		j.setFull(err)
		return nil, err
	}
	j.mu.Lock()
	seg := &segment{first: j.next, active: true}
	j.mu.Unlock()
	f, err := j.opts.FS.Create(j.path(seg))
	switch {
	case durable.IsNoSpace(err):
		err = full("%w", err)
		j.setFull(err)
		return nil, err
	case durable.IsTooManyFiles(err):
		return nil, fmt.Errorf("create segment: %w", err)
	case err != nil:
		return nil, j.fail(err)
	}
	size := max(min(j.opts.SegmentBytes, free), need)
	switch err := f.Preallocate(size); {
	case err == nil:
		seg.preallocated = size
	case errors.Is(err, errors.ErrUnsupported):
	default:
		// Then the write will tell.
		if err := f.Truncate(0); err != nil {
			return nil, errors.Join(j.fail(err), f.Close())
		}
	}
	// Without its name the file is lost, however well it is synced.
	if err := j.opts.FS.SyncDir(j.opts.Dir); err != nil {
		return nil, errors.Join(j.fail(err), f.Close())
	}
	j.out = f
	j.mu.Lock()
	j.segments = append(j.segments, seg)
	j.mu.Unlock()
	return seg, nil
}

// preallocate makes the active segment before it is needed, so that the first
// appends do not wait for it. The caller holds io.
func (j *Journal) preallocate() {
	j.mu.Lock()
	done := j.active() != nil || j.failure != nil
	j.mu.Unlock()
	if done {
		return
	}
	if free, err := j.unallocated(); err != nil || free < j.opts.SegmentBytes {
		return
	}
	if _, err := j.begin(minAvailableBytes); err != nil {
		return // it is logged, and met again by the next append
	}
	if err := j.out.Sync(); err != nil {
		_ = j.fail(err)
	}
}

// seal ends the appending to the active segment. Its records are synced
// already. The caller holds io.
func (j *Journal) seal(seg *segment) {
	var err error
	if j.Err() == nil {
		err = j.out.Truncate(seg.size) // what is preallocated and not used
	}
	if err = errors.Join(err, j.out.Close()); err != nil {
		j.opts.Log.Warn("cannot close a segment of the journal", "file", j.path(seg), "error", err)
	}
	j.out = nil
	j.mu.Lock()
	seg.active, seg.preallocated = false, 0
	j.mu.Unlock()
}
