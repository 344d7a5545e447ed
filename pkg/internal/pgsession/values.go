package pgsession

import (
	"encoding/binary"
	"math"
	"time"
)

// The functions here append a value in PostgreSQL's binary format with its
// length before it, which is how COPY, the elements of an array and parameters
// have it. What the types look like is told by their receive functions, such as
// timestamptz_recv in src/backend/utils/adt/timestamp.c .

const (
	lengthSize = 4
	// jsonbVersion begins a value of type jsonb; its text follows.
	jsonbVersion = 1
	// epochMicros is 2000-01-01, where PostgreSQL counts from.
	epochMicros = 946_684_800_000_000
)

// How many bytes the functions append. To TextSize and JSONBSize comes the
// length of the text.
const (
	UUIDSize      = lengthSize + 16
	TimestampSize = lengthSize + 8
	TextSize      = lengthSize
	JSONBSize     = lengthSize + 1
)

// AppendUUID appends a uuid.
func AppendUUID(dst []byte, id [16]byte) []byte {
	return append(appendInt32(dst, len(id)), id[:]...)
}

// AppendText appends a text or varchar. The server refuses what is not UTF-8
// or holds U+0000.
func AppendText(dst []byte, s string) []byte {
	return append(appendInt32(dst, len(s)), s...)
}

// AppendJSONB appends a jsonb, given as JSON text.
func AppendJSONB(dst []byte, text string) []byte {
	dst = append(appendInt32(dst, 1+len(text)), jsonbVersion)
	return append(dst, text...)
}

// AppendTimestamp appends a timestamptz, cut off to the microsecond.
func AppendTimestamp(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(appendInt32(dst, 8), uint64(t.UnixMicro()-epochMicros))
}

// appendInt32 appends a length or a count.
func appendInt32(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(min(n, math.MaxInt32)))
}
