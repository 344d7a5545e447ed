package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// The layout of a record; the package comment describes it.
const (
	magic      = "\xffEP\xfe"
	crcAt      = 4
	lengthAt   = 8
	seqAt      = 12
	timeAt     = 20
	headerSize = 28

	version = 1
	// maxPayload is more than any event has; a greater length is damage.
	maxPayload = 256 << 20
	// maxStrings is more than any version will have.
	maxStrings = 1 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the record of e, made at the given time, without its
// sequence number and checksum: see seal.
func appendRecord(dst []byte, e *event.Event, at time.Time) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, make([]byte, headerSize-len(magic))...)
	var room [12]string
	fields := e.AppendFields(room[:0])
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, s := range fields {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	header := dst[start:]
	binary.LittleEndian.PutUint32(header[lengthAt:], uint32(len(header)-headerSize))
	binary.LittleEndian.PutUint64(header[timeAt:], uint64(at.UnixMicro()))
	return dst
}

// seal numbers the records in b, made by appendRecord, from seq on, and sets
// their checksums.
func seal(b []byte, seq uint64) {
	for ; len(b) > 0; seq++ {
		end := headerSize + int(binary.LittleEndian.Uint32(b[lengthAt:]))
		binary.LittleEndian.PutUint64(b[seqAt:], seq)
		binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:end]))
		b = b[end:]
	}
}

// checksum returns what a record's checksum must be.
func checksum(record []byte) uint32 {
	return crc32.Checksum(record[lengthAt:], castagnoli)
}

// decode reads the event of a record whose checksum is right. It fails for a
// version it does not know, and for an event it would not have written.
func decode(payload []byte) (event.Event, error) {
	if len(payload) == 0 || payload[0] != version {
		return event.Event{}, fmt.Errorf("unknown version of the encoding: % x", payload[:min(1, len(payload))])
	}
	// One copy for all the strings: payload is reused.
	text := string(payload[1:])
	rest := payload[1:]
	number := func() (uint64, bool) {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return 0, false
		}
		rest = rest[size:]
		return n, true
	}
	errCut := errors.New("the encoding is cut short")
	count, ok := number()
	if !ok || count > maxStrings {
		return event.Event{}, errCut
	}
	var room [12]string
	fields := room[:0]
	for range count {
		n, ok := number()
		if !ok || n > uint64(len(rest)) {
			return event.Event{}, errCut
		}
		at := len(text) - len(rest)
		fields = append(fields, text[at:at+int(n)])
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return event.Event{}, fmt.Errorf("%d bytes follow the encoding", len(rest))
	}
	return event.FromFields(fields)
}
