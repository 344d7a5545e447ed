package deadletter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// eventFields are the fields that an event has, in the order they are written.
var eventFields = []string{
	event.FieldID, event.FieldType, event.FieldSource, event.FieldTimestamp, event.FieldPayload, event.FieldMetadata,
}

var errInvalid = errors.New("as mended, the event would not be accepted; nothing was changed")

// Change is a new value for one field of an event.
type Change struct{ Field, Value string }

// ParseChange reads "FIELD=VALUE".
func ParseChange(text string) (Change, error) {
	field, value, ok := strings.Cut(text, "=")
	if !ok || !slices.Contains(eventFields, field) {
		return Change{}, fmt.Errorf("%q is not FIELD=VALUE with a FIELD of %s", field, strings.Join(eventFields, ", "))
	}
	return Change{field, value}, nil
}

// mend returns fields with the changes made, as the event that they make is
// written, and what other fields there are behind it. An error joins
// everything that keeps it from being an event that would be accepted.
func mend(fields []string, changes []Change, limits event.Limits) ([]string, error) {
	values := map[string]string{}
	var others []string
	for i := 0; i+1 < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		if !slices.Contains(eventFields, name) {
			others = append(others, name, value)
			continue
		}
		if _, twice := values[name]; !twice { // of a repeated field the first counts
			values[name] = value
		}
	}
	for _, c := range changes {
		values[c.Field] = c.Value
	}
	flat := make([]string, 0, 2*len(eventFields))
	for _, name := range eventFields {
		if value, ok := values[name]; ok {
			flat = append(flat, name, value)
		}
	}
	// FromFields checks what must be there and leaves the JSON to the
	// database; New checks that as well, as for an event that was just posted.
	e, err := event.FromFields(flat)
	if err != nil {
		return nil, problemsOf(err)
	}
	if e, err = event.New(e.Draft(), limits); err != nil {
		return nil, problemsOf(err)
	}
	return append(e.AppendFields(nil), others...), nil
}

// problemsOf lists all that is wrong, where the error itself names the first.
func problemsOf(err error) error {
	e, ok := errors.AsType[*event.Error](err)
	if !ok || len(e.Problems) == 0 {
		return err
	}
	problems := []error{errInvalid}
	for _, p := range e.Problems {
		where := strings.TrimPrefix(p.Pointer, "/")
		if where != "" {
			where += ": "
		}
		problems = append(problems, errors.New(where+p.Detail))
	}
	return errors.Join(problems...)
}
