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
	// Rejection is what was dead-lettered: its EntryID that which it had on
	// the stream, its Fields the original ones, its Group the one that could
	// not process it, "" where an older program did not say.
	event.Rejection
	// ID is its entry id among the dead letters, where it stands in the order
	// in which they were added.
	ID string
	// FirstSeen is when the event was put on the stream, DeadLetteredAt when
	// it was given up, and Deliveries how often it was given to a consumer.
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
	fieldDeliveries     = "dlq_deliveries"
	fieldGroup          = "dlq_group"
)

// What earlier versions wrote: another name for the time, no group, and all
// original fields in one where they were very many.
const (
	fieldBuriedAt = "dlq_buried_at"
	fieldPacked   = "dlq_fields"
)

// layouts are the fields behind the original ones, newest first. Each ends with
// another name than those it could be taken for.
var layouts = [][]string{
	{fieldReason, fieldCode, fieldMessage, fieldFirstSeen, fieldEntryID, fieldDeadLetteredAt, fieldDeliveries, fieldGroup},
	{fieldReason, fieldCode, fieldMessage, fieldFirstSeen, fieldEntryID, fieldDeadLetteredAt, fieldDeliveries},
	{fieldReason, fieldCode, fieldMessage, fieldFirstSeen, fieldEntryID, fieldBuriedAt, fieldDeliveries},
}

// maxMessage bounds what is said of one dead letter, in bytes.
const maxMessage = 1024

// shortened cuts text to so many bytes, between two characters.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// parseDeadLetter reads an entry of the dead letters. One that somebody else
// put there has its fields and nothing more.
func parseDeadLetter(partition int, d event.Delivery) DeadLetter {
	letter := DeadLetter{ID: d.EntryID}
	letter.Partition = partition
	letter.Fields = d.Fields
	for _, layout := range layouts {
		if split := len(d.Fields) - 2*len(layout); split >= 0 && endsWith(d.Fields[split:], layout) {
			letter.read(d.Fields[:split:split], d.Fields[split:])
			break
		}
	}
	return letter
}

// endsWith reports whether pairs have those names, in that order.
func endsWith(pairs, names []string) bool {
	for i, name := range names {
		if pairs[2*i] != name {
			return false
		}
	}
	return true
}

// read takes the original fields and what is said about them.
func (l *DeadLetter) read(original, about []string) {
	l.Fields = original
	if len(original) == 2 && original[0] == fieldPacked {
		if fields, ok := unpack(original[1]); ok {
			l.Fields = fields
		}
	}
	for i := 0; i+1 < len(about); i += 2 {
		value := about[i+1]
		switch about[i] {
		case fieldReason:
			l.Reason = value
		case fieldCode:
			l.Code = value
		case fieldMessage:
			l.Message = value
		case fieldFirstSeen:
			l.FirstSeen, _ = time.Parse(time.RFC3339Nano, value)
		case fieldEntryID:
			l.EntryID = value
		case fieldDeadLetteredAt, fieldBuriedAt:
			l.DeadLetteredAt, _ = time.Parse(time.RFC3339Nano, value)
		case fieldDeliveries:
			l.Deliveries, _ = strconv.ParseInt(value, 10, 64)
		case fieldGroup:
			l.Group = value
		}
	}
}

// unpack reads many strings from one, each as its length, a colon and its
// bytes; ok is false when it is something else.
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
