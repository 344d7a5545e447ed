package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// flaw is what keeps a stretch of bytes from being a record.
type flaw uint8

const (
	sound flaw = iota
	// torn is a record that has begun and not ended: a write that was cut off.
	torn
	// damaged is anything else.
	damaged
)

// stretch is what a scanner finds next in a file: one sound record, or bytes
// that are none.
type stretch struct {
	from, to int64
	flaw     flaw
	// Of a sound record. The payload is valid until the next call.
	seq     uint64
	at      time.Time
	payload []byte
}

// scanWindow is how much is read at once, at least.
const scanWindow = 256 << 10

// scanner reads the records of a file and finds those behind damaged bytes. It
// trusts nothing it reads.
type scanner struct {
	src io.ReaderAt
	// pos is where the next stretch begins, end is where the file ends. A
	// file that turns out to be shorter lowers end.
	pos, end int64
	buf      []byte // the file's bytes from bufAt on
	bufAt    int64
}

// next returns the stretch at pos and moves on behind it, or io.EOF. Any other
// error is one of reading, and leaves pos where it is.
func (s *scanner) next() (stretch, error) {
	at := s.pos
	for at < s.end {
		rec, ok, err := s.try(at)
		if err != nil {
			return stretch{}, err
		}
		if ok && at == s.pos {
			s.pos = rec.to
			return rec, nil
		}
		if ok {
			break
		}
		if at, err = s.find(at + 1); err != nil {
			return stretch{}, err
		}
	}
	bad := stretch{from: s.pos, to: at, flaw: damaged}
	if at >= s.end {
		var err error
		if bad, err = s.tail(); err != nil {
			return stretch{}, err
		}
	}
	if bad.to <= s.pos {
		return stretch{}, io.EOF
	}
	s.pos = bad.to
	return bad, nil
}

// try reads a record at the given offset, if there is one.
func (s *scanner) try(at int64) (rec stretch, ok bool, err error) {
	header, err := s.window(at, headerSize)
	if err != nil || len(header) < headerSize || string(header[:len(magic)]) != magic {
		return stretch{}, false, err
	}
	length := int64(binary.LittleEndian.Uint32(header[lengthAt:]))
	to := at + headerSize + length
	if length > maxPayload || to > s.end {
		return stretch{}, false, nil
	}
	record, err := s.window(at, int(headerSize+length))
	if err != nil || int64(len(record)) < headerSize+length {
		return stretch{}, false, err
	}
	if binary.LittleEndian.Uint32(record[crcAt:]) != checksum(record) {
		return stretch{}, false, nil
	}
	return stretch{
		from: at, to: to,
		seq:     binary.LittleEndian.Uint64(record[seqAt:]),
		at:      time.UnixMicro(int64(binary.LittleEndian.Uint64(record[timeAt:]))),
		payload: record[headerSize:],
	}, true, nil
}

// tail returns what there is from pos to the end, where no record is. Zeros at
// the end are room that was reserved and not used. A record does not end in
// zeros: one that does, or is longer than what is there, was cut off.
func (s *scanner) tail() (stretch, error) {
	to := s.pos
	for pos := s.pos; pos < s.end; {
		if _, err := s.window(pos, 1); err != nil {
			return stretch{}, err
		}
		b := s.buf[min(pos-s.bufAt, int64(len(s.buf))):]
		if n := len(bytes.TrimRight(b, "\x00")); n > 0 {
			to = pos + int64(n)
		}
		pos += int64(max(len(b), 1))
	}
	bad := stretch{from: s.pos, to: to, flaw: damaged}
	header, err := s.window(s.pos, int(min(headerSize, to-s.pos)))
	if err != nil {
		return stretch{}, err
	}
	if n := min(len(header), len(magic)); string(header[:n]) != magic[:n] {
		return bad, nil
	}
	if len(header) < headerSize || to-s.pos-headerSize < int64(binary.LittleEndian.Uint32(header[lengthAt:])) {
		bad.flaw = torn
	}
	return bad, nil
}

// find returns where the next record may begin, from the given offset on, or
// the end.
func (s *scanner) find(at int64) (int64, error) {
	for at < s.end {
		if _, err := s.window(at, len(magic)); err != nil {
			return 0, err
		}
		// All that is there, not only what was asked for.
		b := s.buf[at-s.bufAt:]
		if i := bytes.Index(b, []byte(magic)); i >= 0 {
			return at + int64(i), nil
		}
		// The magic may begin in the last bytes and end beyond them; at the
		// end of the file its beginning is nothing.
		at += int64(max(len(b)-len(magic)+1, 1))
	}
	return s.end, nil
}

// window returns n bytes at the given offset, fewer at the end of the file.
func (s *scanner) window(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.end-at))
	if n <= 0 {
		return nil, nil
	}
	if at < s.bufAt || at+int64(n) > s.bufAt+int64(len(s.buf)) {
		size := int(min(int64(max(n, scanWindow)), s.end-at))
		if cap(s.buf) < size {
			s.buf = make([]byte, size)
		}
		s.buf, s.bufAt = s.buf[:size], at
		got, err := s.src.ReadAt(s.buf, at)
		if err != nil && !errors.Is(err, io.EOF) {
			s.buf = s.buf[:0]
			return nil, err
		}
		if got < size {
			s.buf, s.end = s.buf[:got], at+int64(got)
			n = min(n, got)
		}
	}
	from := int(at - s.bufAt)
	return s.buf[from : from+n], nil
}
