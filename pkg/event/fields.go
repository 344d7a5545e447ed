package event

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

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
	var room [canonicalUUID + len("2006-01-02T15:04:05.000000000Z")]byte
	text := e.Timestamp.UTC().AppendFormat(appendID(room[:0], e.ID), time.RFC3339Nano)
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
	r := report{subject: "stream entry", most: len(fields) + len(fieldNames)}
	if len(fields)%2 != 0 {
		r.add(nowhere, "must have a value for every field")
		return Event{}, r.err()
	}
	var values [len(fieldNames)]string
	var has [len(fieldNames)]bool
	for i := 0; i < len(fields); i += 2 {
		at := slices.Index(fieldNames[:], fields[i])
		if at < 0 {
			continue
		}
		if has[at] {
			r.add(nowhere, "must not be there twice", fields[i])
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
		problem := ""
		switch {
		case !has[at] && at <= atTimestamp:
			problem = isRequired
		case !utf8.ValidString(value):
			problem = "must be valid UTF-8"
		case strings.IndexByte(value, 0) >= 0:
			problem = "must not hold U+0000"
		default:
			problem = e.take(at, value)
		}
		if problem != "" {
			r.add(nowhere, problem, fieldNames[at])
		}
	}
	if err := r.err(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// take checks the value of one field, keeps it where it is not text, and says
// what is wrong with it, if anything.
func (e *Event) take(at int, value string) (problem string) {
	switch at {
	case atID:
		var ok bool
		if e.ID, ok = parseID(value); !ok {
			problem = badID
		}
	case atTimestamp:
		e.Timestamp, problem = parseTimestamp(value)
	case atType, atSource:
		problem = nameProblem(value)
	case atPayload, atMetadata:
		if !strings.HasPrefix(strings.TrimLeft(value, whiteSpace), "{") {
			problem = "must be a JSON object"
		}
	}
	return problem
}
