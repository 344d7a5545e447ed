package journal

import (
	"errors"
	"io/fs"
	"time"
)

// maxReadTries is how often a segment that cannot be read is tried before it is
// quarantined.
const maxReadTries = 5

// enter begins to read a segment.
func (r *Reader) enter(seg *segment) error {
	f, err := r.j.opts.FS.Open(r.j.path(seg))
	if err != nil {
		return err
	}
	if seg.first > r.expect {
		r.j.report(CorruptMissing, seg.first-r.expect, "records of the journal are missing", seg, span{})
	}
	r.seg, r.f, r.off = seg, f, 0
	r.expect = max(r.expect, seg.first)
	return nil
}

// account reports what is missing or unreadable before the record numbered
// next.
func (r *Reader) account(seg *segment, next uint64) {
	var lost uint64
	if next > r.expect {
		lost = next - r.expect
	}
	bad := r.bad
	r.bad = span{}
	switch {
	case bad.kind == valid && lost > 0:
		r.j.report(CorruptMissing, lost, "records of the journal are missing", seg, bad)
	case bad.kind == valid:
	case bad.kind == torn && lost == 0:
		r.quarantine(seg, bad)
		r.j.report(CorruptTorn, 1, "a write to the journal was cut off; it was not acknowledged, unless the file has been cut", seg, bad)
	default:
		r.quarantine(seg, bad)
		r.j.report(CorruptDamaged, max(lost, 1), "records of the journal are damaged", seg, bad)
	}
}

// quarantine keeps a copy of a span of seg, or the whole segment when that
// fails.
func (r *Reader) quarantine(seg *segment, s span) {
	if err := r.j.quarantineSpan(seg, r.f, s); err != nil {
		r.j.opts.Log.Error("cannot copy what is unreadable in the journal; the whole segment is kept instead",
			"file", r.j.path(seg), "error", err)
		r.keep = true
	}
}

// leave removes a segment of which everything is released.
func (r *Reader) leave(seg *segment) {
	following := r.j.afterFirstSegment()
	end := following
	if seg.recovered {
		end = seg.end
	}
	r.account(seg, end)
	r.expect = max(r.expect, following)
	r.drop(seg)
	r.j.advance(r.expect, 0, time.Time{})
}

// drop closes a segment and takes it out of the journal.
func (r *Reader) drop(seg *segment) {
	r.close()
	keep := r.keep
	r.seg, r.off, r.keep, r.tries = nil, 0, false, 0
	r.j.dropFirst(seg, keep)
}

// recycle gives the disk space of the active segment back when all of it is
// released and it is half used: what is full of it could not be used again. It
// does not wait for a commit under way: there will be another chance.
func (r *Reader) recycle(seg *segment) {
	if !r.j.io.TryLock() {
		return
	}
	defer r.j.io.Unlock()
	r.j.mu.Lock()
	due := seg.active && seg.size == r.off && seg.size >= r.j.maxSize(seg)/2
	r.j.mu.Unlock()
	if due {
		r.j.seal(seg)
		r.leave(seg)
		r.j.preallocate()
	}
}

// giveUp counts an attempt to read seg that failed, and quarantines the segment
// after the last one.
func (r *Reader) giveUp(seg *segment, err error) bool {
	if r.tries++; r.tries < maxReadTries && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.j.io.Lock()
	defer r.j.io.Unlock()
	if seg.active {
		r.j.seal(seg)
	}
	following := r.j.afterFirstSegment()
	// At most: how many were in the file nobody can tell, if it was the last
	// one at start.
	lost := max(following, r.expect+1) - r.expect
	r.j.report(CorruptUnreadable, lost, "a segment of the journal cannot be read: "+err.Error(), seg, span{from: r.off})
	r.bad, r.expect, r.keep = span{}, max(r.expect, following), true
	r.drop(seg)
	r.j.advance(r.expect, 0, time.Time{})
	return true
}
