package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// spanKind is what a span of bytes is.
type spanKind uint8

const (
	valid spanKind = iota
	// torn is a record that has begun and not ended: a write that was cut off.
	torn
	// damaged is anything else that is no record.
	damaged
)

// span is what a scanner finds next in a file: one valid record, or bytes that
// are none.
type span struct {
	from, to int64
	kind     spanKind
	// Of a valid record. The payload is valid until the next call.
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
	// pos is where the next span begins, end is where the file ends. A
	// file that turns out to be shorter lowers end.
	pos, end int64
	buf      []byte // the file's bytes from bufAt on
	bufAt    int64
}

// next returns the span at pos and moves on behind it, or io.EOF. Any other
// error is one of reading, and leaves pos where it is.
func (s *scanner) next() (span, error) {
	at := s.pos
	for at < s.end {
		rec, ok, err := s.try(at)
		if err != nil {
			return span{}, err
		}
		if ok && at == s.pos {
			s.pos = rec.to
			return rec, nil
		}
		if ok {
			break
		}
		if at, err = s.find(at + 1); err != nil {
			return span{}, err
		}
	}
	bad := span{from: s.pos, to: at, kind: damaged}
	if at >= s.end {
		var err error
		if bad, err = s.tail(); err != nil {
			return span{}, err
		}
	}
	if bad.to <= s.pos {
		return span{}, io.EOF
	}
	s.pos = bad.to
	return bad, nil
}

// try reads a record at the given offset, if there is one.
func (s *scanner) try(at int64) (rec span, ok bool, err error) {
	header, err := s.window(at, headerSize)
	if err != nil || len(header) < headerSize || string(header[:len(magic)]) != magic {
		return span{}, false, err
	}
	length := int64(binary.LittleEndian.Uint32(header[lengthAt:]))
	to := at + headerSize + length
	if length > maxPayload || to > s.end {
		return span{}, false, nil
	}
	record, err := s.window(at, int(headerSize+length))
	if err != nil || int64(len(record)) < headerSize+length {
		return span{}, false, err
	}
	if binary.LittleEndian.Uint32(record[crcAt:]) != checksum(record) {
		return span{}, false, nil
	}
	return span{
		from: at, to: to,
		seq:     binary.LittleEndian.Uint64(record[seqAt:]),
		at:      time.UnixMicro(int64(binary.LittleEndian.Uint64(record[timeAt:]))),
		payload: record[headerSize:],
	}, true, nil
}

// tail returns what there is from pos to the end, where no record is. Zeros at
// the end are space that was preallocated and not used. A record does not end in
// zeros: one that does, or is longer than what is there, was cut off.
func (s *scanner) tail() (span, error) {
	to := s.pos
	for pos := s.pos; pos < s.end; {
		if _, err := s.window(pos, 1); err != nil {
			return span{}, err
		}
		b := s.buf[min(pos-s.bufAt, int64(len(s.buf))):]
		if n := len(bytes.TrimRight(b, "\x00")); n > 0 {
			to = pos + int64(n)
		}
		pos += int64(max(len(b), 1))
	}
	bad := span{from: s.pos, to: to, kind: damaged}
	header, err := s.window(s.pos, int(min(headerSize, to-s.pos)))
	if err != nil {
		return span{}, err
	}
	if n := min(len(header), len(magic)); string(header[:n]) != magic[:n] {
		return bad, nil
	}
	if len(header) < headerSize || to-s.pos-headerSize < int64(binary.LittleEndian.Uint32(header[lengthAt:])) {
		bad.kind = torn
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
