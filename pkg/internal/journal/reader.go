package journal

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// readBytes bounds what is read at once, unless one record alone is more.
const readBytes = 1 << 20

// Record is one record read from a journal.
type Record struct {
	// Seq is its number. Numbers ascend, with gaps where records are lost.
	Seq uint64
	// At is when it was made, to the microsecond.
	At time.Time
	// Payload is the reader's until the record is released.
	Payload []byte

	from, to int64 // in its segment
}

// Reader reads a journal's records in order, and removes those that are
// released. It is for one goroutine at a time.
type Reader struct {
	j   *Journal
	seg *segment // the first one; nil before it is entered
	f   durable.File
	off int64 // where to read on in seg
	// expect is the number of the next record, if none is missing; those
	// below skip are released already.
	expect, skip uint64
	// bad are unreadable bytes since the last record, not reported yet: what
	// follows tells how many records they were.
	bad     span
	keep    bool // seg holds something that could not be copied
	tries   int
	buf     []byte
	pending []Record
}

func newReader(j *Journal) *Reader {
	return &Reader{j: j, expect: j.head, skip: j.head}
}

// Read returns the oldest records that are not released: the same ones as
// before until all of those are, and then up to count further ones, of one
// segment. Without any it returns none. The error is one of reading that may be
// gone at the next attempt; after a few the segment is quarantined.
func (r *Reader) Read(count int) ([]Record, error) {
	for len(r.pending) == 0 {
		seg, size, active := r.j.firstSegment()
		if seg == nil {
			return nil, nil
		}
		if r.seg != seg {
			if err := r.enter(seg); err != nil {
				if !r.giveUp(seg, err) {
					return nil, err
				}
				continue
			}
		}
		if r.off < size {
			err := r.read(size, count)
			if err != nil && len(r.pending) == 0 && !r.giveUp(seg, err) {
				return nil, err
			}
			continue
		}
		if active {
			r.recycle(seg)
			return nil, nil
		}
		r.leave(seg)
	}
	return r.pending, nil
}

// Release says that the record numbered seq, which Read has returned, and those
// before it are done with. They are not read again, also after a restart unless
// the process ends at this moment.
func (r *Reader) Release(seq uint64) {
	n := 0
	for n < len(r.pending) && r.pending[n].Seq <= seq {
		n++
	}
	if n == 0 {
		return
	}
	last := r.pending[n-1]
	r.pending = r.pending[n:]
	next, at, oldest := last.Seq+1, last.to, last.At
	if len(r.pending) > 0 {
		oldest = r.pending[0].At
	} else {
		r.pending = nil
		next, at = max(next, r.expect), r.off // also what was unreadable behind it
	}
	r.j.saveCursor(next)
	r.j.advance(next, at, oldest)
}

// Quarantine takes a record that Read has returned out of those to come, keeps a
// copy of it and reports it as undecodable, for the reason given.
func (r *Reader) Quarantine(rec Record, cause error) {
	at := span{from: rec.from, to: rec.to}
	r.quarantine(r.seg, at)
	r.j.report(CorruptUndecodable, 1, "a record of the journal cannot be decoded: "+cause.Error(), r.seg, at)
	r.pending = slices.DeleteFunc(slices.Clone(r.pending), func(p Record) bool { return p.Seq == rec.Seq })
	r.noteHead()
}

// read reads records up to size, at most count of them.
func (r *Reader) read(size int64, count int) error {
	seg := r.seg
	s := scanner{src: r.f, pos: r.off, end: size, buf: r.buf[:0]}
	var payloads []byte // of all records: one allocation for most
	for len(r.pending) < count && len(payloads) < readBytes {
		sp, err := s.next()
		if errors.Is(err, io.EOF) {
			r.off = size // also when the file is shorter than it was
			break
		}
		if err != nil {
			return err
		}
		r.off, r.tries = sp.to, 0
		if sp.kind != valid {
			r.bad = sp
			continue
		}
		if sp.seq < r.skip {
			r.bad, r.expect = span{}, max(r.expect, sp.seq+1)
			continue
		}
		r.account(seg, sp.seq)
		r.expect = sp.seq + 1
		start := len(payloads)
		payloads = append(payloads, sp.payload...)
		r.pending = append(r.pending, Record{Seq: sp.seq, At: sp.at, Payload: payloads[start:len(payloads):len(payloads)], from: sp.from, to: sp.to})
	}
	if r.buf = s.buf; cap(r.buf) > 4*scanWindow {
		r.buf = nil
	}
	r.noteHead()
	return nil
}

// noteHead tells the journal how old the oldest record is, or that all that was
// read is done with.
func (r *Reader) noteHead() {
	if len(r.pending) > 0 {
		r.j.setOldest(r.pending[0].At)
	} else {
		r.j.advance(r.expect, r.off, time.Time{})
	}
}

func (r *Reader) close() {
	if r.f != nil {
		_ = r.f.Close() // only read
		r.f = nil
	}
}
