// Package event defines what an event is, when it is valid, how it is written
// as JSON and as the fields of a stream entry, and the kinds of errors.
//
// [New] makes an event of a [Draft] and checks everything; [FromFields] reads one
// from a stream entry that [Event.AppendFields] wrote. Bodies in JSON are read
// by the packages under pkg/codec.
package event

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// MaxNameLength is the longest Type or Source, in Unicode code points: the
// width of the varchar columns that hold them.
const MaxNameLength = 255

// Event is one thing that happened. Those of [New] and [FromFields] are valid.
type Event struct {
	// ID is the identity under which the event is stored once. The
	// producer's own, or a UUIDv7 minted on arrival.
	ID uuid.UUID
	// Type and Source name what happened and where, 1 to MaxNameLength
	// code points each.
	Type, Source string
	// Timestamp is the instant the producer gave, in UTC, cut to the
	// microsecond that PostgreSQL keeps.
	Timestamp time.Time
	// Payload and Metadata are the producer's own JSON text of one object
	// each, never empty: an absent one is "{}".
	Payload, Metadata string
}

// Delivery is one stream entry as delivered to a consumer: undecoded, because an
// entry that cannot be read as an event must still be acknowledged or
// dead-lettered.
type Delivery struct {
	// Group is the consumer group that it was delivered to, and Partition the
	// part of the stream that it was read from, counted from 0.
	Group     string
	Partition int
	// EntryID is the stream entry's id, "milliseconds-sequence", unique
	// within its partition.
	EntryID string
	// Fields are the entry's field names and values, alternating, as Redis
	// keeps them. They are empty when the entry was deleted while pending.
	Fields []string
}

// Added returns when the entry was put on the stream, by the clock of Redis: an
// entry id begins with the milliseconds of the Unix epoch
// (https://redis.io/docs/latest/develop/data-types/streams/#entry-ids). It is
// false where the id is not of that form.
func (d *Delivery) Added() (time.Time, bool) {
	ms, _, _ := strings.Cut(d.EntryID, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC(), err == nil
}

// Size returns the bytes of the names and values of the entry.
func (d *Delivery) Size() int {
	size := 0
	for _, f := range d.Fields {
		size += len(f)
	}
	return size
}

// The reasons for which a delivery becomes a dead letter.
const (
	// ReasonUnreadable is an entry that is no event.
	ReasonUnreadable = "unreadable"
	// ReasonRejected is an event that the database refuses for its content.
	ReasonRejected = "rejected"
	// ReasonDropped is an event that the database left out without an error,
	// as a trigger or a rule of its operator may.
	ReasonDropped = "dropped"
)

// Outcome is what became of the deliveries that a handler was given. A delivery
// that is in neither list is not dealt with and has to be handled again.
type Outcome struct {
	// Done are those whose effect is durable, or that need none: they may be
	// acknowledged.
	Done []Delivery
	// Rejected are those that can never be handled as they stand: they may
	// become dead letters.
	Rejected []Rejection
}

// Add appends what other lists.
func (o *Outcome) Add(other Outcome) {
	o.Done = append(o.Done, other.Done...)
	o.Rejected = append(o.Rejected, other.Rejected...)
}

// Inserted says which events of a batch are not rows of that batch. Its
// members are ascending indexes into the batch, and none is in both; every
// other event was stored for the first time.
type Inserted struct {
	// Duplicates were stored before under the same id, or repeat an id of the
	// same batch, of which the first counts.
	Duplicates []int
	// Dropped are neither stored now nor were they before: the database took
	// them without an error and left them out.
	Dropped []int
}

// Rejection is a delivery that can never be stored as it stands, and why.
type Rejection struct {
	Delivery
	// Reason is one of the Reason constants.
	Reason string
	// Code is the SQLSTATE of the rejection, empty when there is none.
	Code string
	// Message says what is wrong, without the event's content.
	Message string
	// Quote is what the database says in words of its own, such as the message
	// that a trigger raised, "" for nothing. It may quote the event: it goes into
	// the dead letter, which holds the event anyway, and into no log.
	Quote string
}
