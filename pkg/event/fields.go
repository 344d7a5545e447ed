package event

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eventpulse/eventpulse/pkg/internal/jsonscan"
)

// emptyObject stands for an absent payload or metadata.
const emptyObject = "{}"

// The names of the fields under which an event travels on the stream. They
// are the contract with every consumer of it.
const (
	FieldID        = "event_id"
	FieldType      = "event_type"
	FieldSource    = "source"
	FieldTimestamp = "timestamp"
	FieldPayload   = "payload"
	FieldMetadata  = "metadata"
)

// fieldNames are an event's fields in the order they are written.
var fieldNames = [...]string{FieldID, FieldType, FieldSource, FieldTimestamp, FieldPayload, FieldMetadata}

// The fields' places in that order.
const (
	atID = iota
	atType
	atSource
	atTimestamp
	atPayload
	atMetadata
)

// AppendFields appends the event as it travels on the stream: twelve strings,
// names and values alternating. The id is in lower case, the timestamp RFC 3339
// in UTC with as many digits of the fraction as it needs.
func (e Event) AppendFields(dst []string) []string {
	// The id and the timestamp share one allocation. The timestamp is
	// written to the nanosecond before its zeros are cut.
	var buf [canonicalUUID + len("2006-01-02T15:04:05.000000000Z")]byte
	text := e.Timestamp.UTC().AppendFormat(AppendID(buf[:0], e.ID), time.RFC3339Nano)
	both := string(text)

	return append(dst,
		FieldID, both[:canonicalUUID],
		FieldType, e.Type,
		FieldSource, e.Source,
		FieldTimestamp, both[canonicalUUID:],
		FieldPayload, e.Payload,
		FieldMetadata, e.Metadata,
	)
}

// FromFields reads an event from the fields of a stream entry, names and
// values alternating in any order. Fields that an event does not have are
// ignored: the entry may be written by somebody newer. An absent payload or
// metadata is "{}".
//
// The error is an [*Error] of [KindInvalid] that names the fields at fault. It
// does not judge the JSON in payload and metadata, only that each is text that
// starts as an object: the database parses it in any case, and parsing it twice
// would cost the consumer more than all else it does with an event.
func FromFields(fields []string) (Event, error) {
	r := NewReport("stream entry", len(fields)+len(fieldNames))
	if len(fields)%2 != 0 {
		r.Add(Whole, "must have a value for every field")
		return Event{}, r.Err()
	}
	var values [len(fieldNames)]string
	var has [len(fieldNames)]bool
	for i := 0; i < len(fields); i += 2 {
		at := slices.Index(fieldNames[:], fields[i])
		if at < 0 {
			continue
		}
		if has[at] {
			r.Add(Whole, "must not be there twice", fields[i])
		}
		values[at], has[at] = fields[i+1], true
	}
	if !has[atPayload] {
		values[atPayload] = emptyObject
	}
	if !has[atMetadata] {
		values[atMetadata] = emptyObject
	}

	e := Event{
		Type:     values[atType],
		Source:   values[atSource],
		Payload:  values[atPayload],
		Metadata: values[atMetadata],
	}
	for at, value := range values {
		var problem error
		switch {
		case !has[at] && at <= atTimestamp:
			problem = ErrRequired
		case !utf8.ValidString(value):
			problem = errNotUTF8
		case strings.IndexByte(value, 0) >= 0:
			problem = errHoldsNUL
		default:
			problem = e.set(at, value)
		}
		if problem != nil {
			r.Add(Whole, problem.Error(), fieldNames[at])
		}
	}
	if err := r.Err(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// set checks the value of one field, and keeps it where it is not text.
func (e *Event) set(at int, value string) (err error) {
	switch at {
	case atID:
		e.ID, err = ParseID(value)
	case atTimestamp:
		e.Timestamp, err = ParseTimestamp(value)
	case atType, atSource:
		err = CheckName(value)
	case atPayload, atMetadata:
		if !strings.HasPrefix(strings.TrimLeft(value, jsonscan.WhiteSpace), "{") {
			err = errNotObject
		}
	}
	return err
}
