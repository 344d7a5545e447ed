package spool

import (
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// readTries is how often a segment that cannot be read is tried before
	// it is set aside.
	readTries = 5
	// batchBytes bounds what a batch holds, unless one event alone is more.
	batchBytes = 1 << 20
)

// entry is one event read from disk and not published yet.
type entry struct {
	event    event.Event
	seq      uint64
	made     time.Time
	from, to int64
}

// reader reads a journal's records in order, and removes those that are
// published. It is used by one goroutine at a time.
type reader struct {
	j   *journal
	seg *segment // the first one; nil before it is entered
	f   file
	off int64 // where to read on in seg
	// expect is the number of the next record, if none is missing; those
	// below skip are published already.
	expect, skip uint64
	// bad are unreadable bytes since the last record, not reported yet:
	// what follows tells how many records they were.
	bad     stretch
	keep    bool // seg holds something that could not be copied
	tries   int
	buf     []byte
	pending []entry
}

func newReader(j *journal) *reader {
	return &reader{j: j, expect: j.head, skip: j.head}
}

// fill reads up to count events, unless some are pending, and says whether any
// are. The error is one of reading that may be gone at the next attempt.
func (r *reader) fill(count int) (bool, error) {
	for len(r.pending) == 0 {
		seg, size, active := r.j.first()
		if seg == nil {
			return false, nil
		}
		if r.seg != seg {
			if err := r.enter(seg); err != nil {
				if !r.giveUp(seg, err) {
					return false, err
				}
				continue
			}
		}
		if r.off < size {
			err := r.read(size, count)
			if err != nil && len(r.pending) == 0 && !r.giveUp(seg, err) {
				return false, err
			}
			continue
		}
		if active {
			r.recycle(seg)
			return false, nil
		}
		r.leave(seg)
	}
	return true, nil
}

// enter begins to read a segment.
func (r *reader) enter(seg *segment) error {
	f, err := r.j.fs.open(r.j.path(seg), false)
	if err != nil {
		return err
	}
	if seg.first > r.expect {
		r.j.report(kindMissing, seg.first-r.expect, "records are missing in the spool", seg, stretch{})
	}
	r.seg, r.f, r.off = seg, f, 0
	r.expect = max(r.expect, seg.first)
	return nil
}

// read reads records up to size, at most count of them.
func (r *reader) read(size int64, count int) error {
	seg := r.seg
	s := scanner{src: r.f, pos: r.off, end: size, buf: r.buf[:0]}
	bytes := 0
	for len(r.pending) < count && bytes < batchBytes {
		rec, err := s.next()
		if errors.Is(err, io.EOF) {
			r.off = size // also when the file is shorter than it was
			break
		}
		if err != nil {
			return err
		}
		r.off, r.tries = rec.to, 0
		if rec.flaw != sound {
			r.bad = rec
			continue
		}
		if rec.seq < r.skip {
			r.bad, r.expect = stretch{}, max(r.expect, rec.seq+1)
			continue
		}
		r.account(seg, rec.seq)
		r.expect = rec.seq + 1
		e, err := decode(rec.payload)
		if err != nil {
			r.setAside(seg, rec)
			r.j.report(kindUndecodable, 1, "a record in the spool is no event: "+err.Error(), seg, rec)
			continue
		}
		r.pending = append(r.pending, entry{event: e, seq: rec.seq, made: rec.at, from: rec.from, to: rec.to})
		bytes += int(rec.to - rec.from)
	}
	if r.buf = s.buf; cap(r.buf) > 4*scanWindow {
		r.buf = nil
	}
	if len(r.pending) > 0 {
		r.j.setOldest(r.pending[0].made)
	} else {
		r.j.advance(r.expect, r.off, time.Time{})
	}
	return nil
}

// account reports what is missing or unreadable before the record numbered
// next.
func (r *reader) account(seg *segment, next uint64) {
	var lost uint64
	if next > r.expect {
		lost = next - r.expect
	}
	bad := r.bad
	r.bad = stretch{}
	switch {
	case bad.flaw == sound && lost > 0:
		r.j.report(kindMissing, lost, "records are missing in the spool", seg, bad)
	case bad.flaw == sound:
	case bad.flaw == torn && lost == 0:
		r.setAside(seg, bad)
		r.j.report(kindTorn, 1, "a write to the spool was cut off; it was not acknowledged, unless the file has been cut", seg, bad)
	default:
		r.setAside(seg, bad)
		r.j.report(kindDamaged, max(lost, 1), "records in the spool are damaged", seg, bad)
	}
}

// leave removes a segment of which everything is published.
func (r *reader) leave(seg *segment) {
	following := r.j.following()
	end := following
	if seg.inherited {
		end = seg.end
	}
	r.account(seg, end)
	r.expect = max(r.expect, following)
	r.drop(seg)
	r.j.advance(r.expect, 0, time.Time{})
}

// drop closes a segment and takes it out of the journal.
func (r *reader) drop(seg *segment) {
	if r.f != nil {
		_ = r.f.Close() // only read
	}
	keep := r.keep
	r.seg, r.f, r.off, r.keep, r.tries = nil, nil, 0, false, 0
	r.j.drop(seg, keep)
}

// recycle gives the disk space of the active segment back when all of it is
// published and it is half used: what is full of it could not be used again. It
// does not wait for a commit under way: there will be another chance.
func (r *reader) recycle(seg *segment) {
	if !r.j.io.TryLock() {
		return
	}
	defer r.j.io.Unlock()
	r.j.mu.Lock()
	due := seg.active && seg.size == r.off && seg.size >= r.j.limit(seg)/2
	r.j.mu.Unlock()
	if due {
		r.j.retire(seg)
		r.leave(seg)
		r.j.prepare()
	}
}

// giveUp counts an attempt to read seg that failed, and sets the segment aside
// after the last one.
func (r *reader) giveUp(seg *segment, err error) bool {
	if r.tries++; r.tries < readTries && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.j.io.Lock()
	defer r.j.io.Unlock()
	if seg.active {
		r.j.retire(seg)
	}
	following := r.j.following()
	// At most: how many were in the file nobody can tell, if it was the last
	// one at start.
	lost := max(following, r.expect+1) - r.expect
	r.j.report(kindUnreadable, lost, "a spool segment cannot be read: "+err.Error(), seg, stretch{from: r.off})
	r.bad, r.expect, r.keep = stretch{}, max(r.expect, following), true
	r.drop(seg)
	r.j.advance(r.expect, 0, time.Time{})
	return true
}

// release removes the first n pending entries: they are published.
func (r *reader) release(n int) {
	last := r.pending[n-1]
	clear(r.pending[:n])
	r.pending = r.pending[n:]
	next, at, oldest := last.seq+1, last.to, last.made // about, if more follows
	if len(r.pending) > 0 {
		oldest = r.pending[0].made
	} else {
		r.pending = nil
		next, at = max(next, r.expect), r.off // also what was unreadable behind it
	}
	r.j.saveCursor(next)
	r.j.advance(next, at, oldest)
}

// setAside keeps a copy of what is not published from seg, or the whole of it
// when that fails.
func (r *reader) setAside(seg *segment, s stretch) {
	if err := r.j.copyAside(seg, r.f, s); err != nil {
		r.j.log.Error("cannot copy what is unreadable in the spool; the whole segment is kept instead",
			"file", r.j.path(seg), "error", err)
		r.keep = true
	}
}

// refuse sets the first pending entry aside: nobody will ever take it.
func (r *reader) refuse(err error) {
	e := r.pending[0]
	at := stretch{from: e.from, to: e.to}
	r.setAside(r.seg, at)
	r.j.report(kindRefused, 1, "an event in the spool is refused for its content: "+err.Error(), r.seg, at)
	r.release(1)
}

func (r *reader) close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
}
