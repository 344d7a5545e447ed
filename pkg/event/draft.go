package event

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/internal/jsonscan"
)

// Object is the JSON text of one object, which may have been scanned already.
// The zero Object is "{}".
type Object = jsonscan.Object

// ObjectText returns text as an Object that [New] has yet to accept.
func ObjectText(text string) Object { return jsonscan.Unscanned(text) }

// Draft is what an [Event] is made of before its values are checked. A decoder
// fills one in and passes it to [New].
type Draft struct {
	// ID is the event's identity; the zero UUID asks for a new one.
	ID uuid.UUID
	// Type and Source are text in UTF-8.
	Type, Source string
	// Timestamp is in any zone.
	Timestamp time.Time
	// Payload and Metadata are scanned unless a decoder did so already.
	Payload, Metadata Object
}

// Draft returns what e is made of, its JSON to be scanned again: [New] judges
// an event that [FromFields] read as strictly as one that was just posted.
func (e Event) Draft() Draft {
	return Draft{
		ID: e.ID, Type: e.Type, Source: e.Source, Timestamp: e.Timestamp,
		Payload: ObjectText(e.Payload), Metadata: ObjectText(e.Metadata),
	}
}

// objectDepth is the depth of nesting of a payload: the event is the first
// level.
const objectDepth = 2

// New returns the event that d describes.
//
// The error is an [*Error]: of [KindTooLarge] when the values of the event take
// more than l.MaxEventBytes, of [KindInvalid] when any value breaks the rules,
// with a problem for each field at fault. l must be valid.
func New(d Draft, l Limits) (Event, error) {
	r := NewReport("event", l.MaxProblems)
	e := Event{ID: d.ID, Type: d.Type, Source: d.Source, Timestamp: microseconds(d.Timestamp)}
	if err := checkText(d.Type); err != nil {
		r.Add(Whole, err.Error(), FieldType)
	}
	if err := checkText(d.Source); err != nil {
		r.Add(Whole, err.Error(), FieldSource)
	}
	if !yearInRange(e.Timestamp) {
		r.Add(Whole, string(errBadYear), FieldTimestamp)
	}
	e.Payload = r.object(d.Payload, FieldPayload, l.MaxDepth)
	e.Metadata = r.object(d.Metadata, FieldMetadata, l.MaxDepth)
	if len(e.Type)+len(e.Source)+len(e.Payload)+len(e.Metadata) > l.MaxEventBytes {
		r.AddTooLarge(Whole, l.MaxEventBytes)
	}
	if err := r.Err(); err != nil {
		return Event{}, err
	}
	if e.ID == (uuid.UUID{}) {
		e.ID = NewID()
	}
	return e, nil
}

// object returns the text of o, and reports why it is not accepted if so.
func (r *Report) object(o Object, field string, maxDepth int) string {
	o, problem := o.Scan(objectDepth, maxDepth)
	if problem != nil {
		r.add(Problem{Pointer: "/" + field + problem.Pointer, Detail: problem.Detail})
	}
	return o.String()
}

// checkText checks a type or source that may come from anywhere.
func checkText(text string) error {
	switch {
	case !utf8.ValidString(text):
		return errNotUTF8
	case strings.IndexByte(text, 0) >= 0:
		return errHoldsNUL
	}
	return CheckName(text)
}

// CheckName says what is wrong with an event's type or source, given as valid
// UTF-8; nil when it can be stored.
func CheckName(text string) error {
	switch {
	case text == "":
		return errEmptyName
	case len(text) > MaxNameLength && utf8.RuneCountInString(text) > MaxNameLength:
		return errLongName
	}
	return nil
}

// rule is an error that says in a sentence fragment what a value must be. As a
// constant it costs nothing to return.
type rule string

// Error implements error.
func (r rule) Error() string { return string(r) }

const (
	// ErrRequired is what is wrong with a field that is missing.
	ErrRequired rule = "is required"

	errEmptyName rule = "must not be empty"
	errLongName  rule = "must not be longer than 255 characters"
	errNotUTF8   rule = "must be valid UTF-8"
	errHoldsNUL  rule = "must not hold U+0000"
	errNotObject rule = "must be a JSON object"
)

// tooLarge says that an event is longer than so many bytes.
func tooLarge(limit int) string { return fmt.Sprintf("must not be longer than %d bytes", limit) }
