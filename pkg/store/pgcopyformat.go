package store

import (
	"encoding/binary"
	"math"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// copyStatement leaves created_at to its default. Binary spares the server
// parsing ids and instants and looking for what is escaped.
const copyStatement = `COPY events (event_id, event_type, source, "timestamp", payload, metadata) FROM STDIN (FORMAT binary)`

const (
	// copySignature begins the binary format; no flags, no extension follow.
	copySignature = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyTrailer   = "\xff\xff"
	copyColumns   = 6
	// copyRowSize is what a row takes beside its texts.
	copyRowSize = 2 + copyColumns*4 + 16 + 8 + 1 + 1
	// jsonbVersion begins a value of type jsonb, the text follows.
	jsonbVersion = 1
	// epochMicros is 2000-01-01, where PostgreSQL counts from.
	epochMicros = 946_684_800_000_000
)

func copySize(e *event.Event) int {
	return copyRowSize + len(e.Type) + len(e.Source) + len(e.Payload) + len(e.Metadata)
}

// appendCopyRow appends an event as a row of copyStatement.
func appendCopyRow(dst []byte, e *event.Event) []byte {
	dst = binary.BigEndian.AppendUint16(dst, copyColumns)
	dst = appendLength(dst, len(e.ID))
	dst = append(dst, e.ID[:]...)
	dst = appendLength(dst, len(e.Type))
	dst = append(dst, e.Type...)
	dst = appendLength(dst, len(e.Source))
	dst = append(dst, e.Source...)
	dst = appendLength(dst, 8)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp.UnixMicro()-epochMicros))
	dst = appendLength(dst, 1+len(e.Payload))
	dst = append(dst, jsonbVersion)
	dst = append(dst, e.Payload...)
	dst = appendLength(dst, 1+len(e.Metadata))
	dst = append(dst, jsonbVersion)
	return append(dst, e.Metadata...)
}

func appendLength(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(min(n, math.MaxInt32)))
}
