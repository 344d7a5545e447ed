package stream

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// DeadLetter is an entry among the dead letters.
type DeadLetter struct {
	// Burial is what was buried, its EntryID that which it had on the stream,
	// its Fields the original ones.
	event.Rejection
	// ID is its entry id among the dead letters, where it stands in the
	// order of burial.
	ID string
	// FirstSeen is when the event was put on the stream, DeadLetteredAt when it was
	// given up, and Deliveries how often it was given to a consumer.
	FirstSeen, DeadLetteredAt time.Time
	Deliveries                int64
}

// The fields that a dead letter carries behind the original ones, in this
// order: by their place they are told apart from original fields of the same
// name.
const (
	fieldReason         = "dlq_reason"
	fieldCode           = "dlq_code"
	fieldMessage        = "dlq_message"
	fieldFirstSeen      = "dlq_first_seen"
	fieldEntryID        = "dlq_entry_id"
	fieldDeadLetteredAt = "dlq_dead_lettered_at"
	fieldDeliveries     = "dlq_deliveries" // added by the script that moves the entry
)

// fieldPacked holds all original fields in one, when they are too many.
const fieldPacked = "dlq_fields"

// maxFields is the most names and values that a script passes on to a command.
const maxFields = 4000

// maxMessage bounds what is said of one dead letter, in bytes.
const maxMessage = 1024

// appendLetter appends the fields of the dead letter d, except the last.
func appendLetter(dst []string, d event.Rejection, now time.Time) []string {
	if len(d.Fields) > maxFields {
		dst = append(dst, fieldPacked, pack(d.Fields))
	} else {
		dst = append(dst, d.Fields...)
	}
	message := d.Message
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	firstSeen := ""
	if at, ok := entryTime(d.EntryID); ok {
		firstSeen = at.Format(time.RFC3339Nano)
	}
	return append(dst,
		fieldReason, d.Reason,
		fieldCode, d.Code,
		fieldMessage, message,
		fieldFirstSeen, firstSeen,
		fieldEntryID, d.EntryID,
		fieldDeadLetteredAt, now.UTC().Format(time.RFC3339Nano),
	)
}

// parseLetter reads an entry of the dead letters. One that somebody else put
// there has its fields and nothing more.
func parseLetter(d event.Delivery) DeadLetter {
	names := [...]string{fieldReason, fieldCode, fieldMessage, fieldFirstSeen, fieldEntryID, fieldDeadLetteredAt, fieldDeliveries}
	letter := DeadLetter{ID: d.EntryID}
	split := len(d.Fields) - 2*len(names)
	for i, name := range names {
		if split < 0 || d.Fields[split+2*i] != name {
			letter.Fields = d.Fields
			return letter
		}
	}
	ours := func(i int) string { return d.Fields[split+2*i+1] }
	letter.Fields = d.Fields[:split:split]
	if split == 2 && d.Fields[0] == fieldPacked {
		if fields, ok := unpack(d.Fields[1]); ok {
			letter.Fields = fields
		}
	}
	letter.Reason, letter.Code, letter.Message = ours(0), ours(1), ours(2)
	letter.FirstSeen, _ = time.Parse(time.RFC3339Nano, ours(3))
	letter.EntryID = ours(4)
	letter.DeadLetteredAt, _ = time.Parse(time.RFC3339Nano, ours(5))
	letter.Deliveries, _ = strconv.ParseInt(ours(6), 10, 64)
	return letter
}

// entryTime is when Redis took an entry, by its own clock: the first half of
// an entry id is milliseconds of the Unix epoch.
func entryTime(entryID string) (time.Time, bool) {
	ms, _, _ := strings.Cut(entryID, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC(), err == nil
}

// pack makes one string of many, each as its length, a colon and its bytes.
func pack(fields []string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(strconv.Itoa(len(f)))
		b.WriteByte(':')
		b.WriteString(f)
	}
	return b.String()
}

// unpack undoes pack; ok is false when it was something else.
func unpack(packed string) (fields []string, ok bool) {
	for packed != "" {
		length, rest, found := strings.Cut(packed, ":")
		n, err := strconv.Atoi(length)
		if !found || err != nil || n < 0 || n > len(rest) {
			return nil, false
		}
		fields, packed = append(fields, rest[:n]), rest[n:]
	}
	return slices.Clip(fields), true
}
