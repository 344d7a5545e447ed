package spool

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	version = 1
	// maxStrings is more than any version will have.
	maxStrings = 1 << 10
	// encodingOverhead is about what an event takes beside payload and
	// metadata.
	encodingOverhead = 256
)

// appendEvent appends the encoding of e.
func appendEvent(dst []byte, e *event.Event) []byte {
	var buf [12]string
	fields := e.AppendFields(buf[:0])
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, s := range fields {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

var errTruncated = errors.New("the encoding is truncated")

// decodeEvent reads what appendEvent has written. It fails for a version it does
// not know, and for an event that would not have been written.
func decodeEvent(b []byte) (event.Event, error) {
	if len(b) == 0 || b[0] != version {
		return event.Event{}, fmt.Errorf("unknown version of the encoding: % x", b[:min(1, len(b))])
	}
	d := decoder{text: string(b[1:]), rest: b[1:]} // one copy for all the strings
	count, ok := d.uvarint()
	if !ok || count > maxStrings {
		return event.Event{}, errTruncated
	}
	var buf [12]string
	fields := buf[:0]
	for range count {
		s, ok := d.string()
		if !ok {
			return event.Event{}, errTruncated
		}
		fields = append(fields, s)
	}
	if len(d.rest) > 0 {
		return event.Event{}, fmt.Errorf("%d bytes follow the encoding", len(d.rest))
	}
	return event.FromFields(fields)
}

// decoder reads from the front of rest, which is the end of text.
type decoder struct {
	text string
	rest []byte
}

func (d *decoder) uvarint() (uint64, bool) {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		return 0, false
	}
	d.rest = d.rest[size:]
	return n, true
}

func (d *decoder) string() (string, bool) {
	n, ok := d.uvarint()
	if !ok || n > uint64(len(d.rest)) {
		return "", false
	}
	at := len(d.text) - len(d.rest)
	d.rest = d.rest[n:]
	return d.text[at : at+int(n)], true
}
