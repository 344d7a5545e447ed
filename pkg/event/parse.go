package event

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse reads body as the JSON text of one event, in one pass.
//
// The error is an [*Error]: [KindTooLarge] when the event is longer than
// l.MaxEventBytes; [KindInvalid] when body is not JSON (one problem, where that
// shows first) or breaks the rules of an event (a problem for each breach).
// JSON is refused, too, when the database could not keep it as it was sent:
// duplicate names in an object, U+0000, surrogates without their other half,
// numbers of more than 131072 digits before or 16383 after the decimal point.
// So are exponents beyond 1000 either way, which PostgreSQL would write out.
//
// The event's strings are parts of body wherever they hold no escapes, so
// whoever keeps the event keeps the body alive. l must be valid. Parse is safe
// for concurrent use.
func Parse(body string, l Limits) (Event, error) {
	p := parser{
		scanner: newScanner(body, l.MaxDepth),
		report:  report{subject: "event", most: l.MaxProblems},
		limits:  l,
	}
	return p.one()
}

// ParseBatch reads body as a JSON array of events, in one pass, and returns
// them in order. Either all of them are valid or the error is that of [Parse]
// for the whole batch, pointers starting with the index of the event. More than
// l.MaxBatchEvents events are [KindTooLarge], none at all are [KindInvalid].
//
// What Parse says about strings, l and concurrency holds here.
func ParseBatch(body string, l Limits) ([]Event, error) {
	p := parser{
		scanner: newScanner(body, l.MaxDepth),
		report:  report{subject: "batch", most: l.MaxProblems},
		limits:  l,
	}
	return p.batch()
}

// parser applies the rules of an event to what its scanner walks over, with
// the scanner's own convention of positions. Where the scanner stops at the
// first thing that is not JSON, the parser reports everything that is not an
// event and goes on.
type parser struct {
	scanner
	report report
	limits Limits
}

// eventDepth is the depth of nesting at which an event stands, alone or in a
// batch: what is accepted one way is accepted the other.
const eventDepth = 1

func (p *parser) one() (Event, error) {
	start := p.space(0)
	if len(strings.TrimRight(p.text[start:], whiteSpace)) > p.limits.MaxEventBytes {
		p.report.tooLarge(nowhere, p.limits.MaxEventBytes)
		return Event{}, p.report.err()
	}
	var e Event
	i := p.event(start, nowhere, &e)
	if err := p.finish(i); err != nil {
		return Event{}, err
	}
	return e, nil
}

func (p *parser) batch() ([]Event, error) {
	i := p.space(0)
	if c := p.at(i); c != '[' {
		p.report.add(nowhere, "must be a JSON array of events, not "+kindOfValue(c))
		return nil, p.finish(p.value(i, eventDepth))
	}
	var events []Event
	i, more := p.first(i, ']')
	if !more {
		p.report.add(nowhere, "must hold at least one event")
	}
	for n := 0; more; n++ {
		if n == p.limits.MaxBatchEvents {
			return nil, tooManyEvents(n)
		}
		start, where := i, index(n)
		var e Event
		if i = p.event(start, where, &e); i < 0 {
			p.inside(strconv.Itoa(n))
			break
		}
		size := i - start
		if size > p.limits.MaxEventBytes {
			p.report.tooLarge(where, p.limits.MaxEventBytes)
		}
		if p.report.empty() {
			if events == nil {
				// Events of a batch are alike: the first tells how many
				// there are likely to be.
				events = make([]Event, 0, min(p.limits.MaxBatchEvents, (len(p.text)-start)/size+1))
			}
			events = append(events, e)
		}
		i, more = p.next(i, ']')
	}
	if err := p.finish(i); err != nil {
		return nil, err
	}
	return events, nil
}

// finish returns what is wrong with the body after its value ended at i, or
// was refused.
func (p *parser) finish(i int) error {
	if i >= 0 {
		if i = p.space(i); i < len(p.text) {
			i = p.expected(i, "nothing after the "+p.report.subject)
		}
	}
	if i < 0 {
		return &Error{
			Kind:     KindInvalid,
			Detail:   "the body is not JSON that can be accepted",
			Problems: []Problem{p.problem()},
		}
	}
	return p.report.err()
}

// event scans the value at i as an event and fills in e.
func (p *parser) event(i int, where place, e *Event) int {
	if c := p.at(i); c != '{' {
		end := p.value(i, eventDepth)
		if end >= 0 {
			p.report.add(where, "must be a JSON object, not "+kindOfValue(c))
		}
		return end
	}

	e.Payload, e.Metadata = emptyObject, emptyObject
	var hasID, hasType, hasSource, hasTimestamp bool
	scope := p.names.open()
	i, more := p.first(i, '}')
	for more {
		var name string
		if name, i = p.member(i, scope); i < 0 {
			return i
		}
		switch name {
		case FieldID:
			hasID = true
			i = p.idField(i, where, e)
		case FieldType:
			hasType = true
			e.Type, i = p.nameField(i, where, FieldType)
		case FieldSource:
			hasSource = true
			e.Source, i = p.nameField(i, where, FieldSource)
		case FieldTimestamp:
			hasTimestamp = true
			e.Timestamp, i = p.timestampField(i, where)
		case FieldPayload:
			e.Payload, i = p.objectField(i, where, FieldPayload)
		case FieldMetadata:
			e.Metadata, i = p.objectField(i, where, FieldMetadata)
		default:
			if i = p.value(i, eventDepth+1); i >= 0 {
				p.report.add(where, "unknown field: put it in payload or metadata", name)
			}
		}
		if i < 0 {
			return p.inside(name)
		}
		i, more = p.next(i, '}')
	}
	if i < 0 {
		return i
	}
	p.names.close(scope)

	if !hasType {
		p.report.add(where, isRequired, FieldType)
	}
	if !hasSource {
		p.report.add(where, isRequired, FieldSource)
	}
	if !hasTimestamp {
		p.report.add(where, isRequired, FieldTimestamp)
	}
	if !hasID && p.report.empty() {
		e.ID = mintID()
	}
	return i
}

func (p *parser) idField(i int, where place, e *Event) int {
	text, end, ok := p.textField(i, where, FieldID)
	if !ok {
		return end
	}
	if e.ID, ok = parseID(text); !ok {
		p.report.add(where, badID, FieldID)
	}
	return end
}

func (p *parser) nameField(i int, where place, field string) (string, int) {
	text, end, ok := p.textField(i, where, field)
	if !ok {
		return "", end
	}
	if problem := nameProblem(text); problem != "" {
		p.report.add(where, problem, field)
	}
	return text, end
}

func (p *parser) timestampField(i int, where place) (time.Time, int) {
	text, end, ok := p.textField(i, where, FieldTimestamp)
	if !ok {
		return time.Time{}, end
	}
	t, problem := parseTimestamp(text)
	if problem != "" {
		p.report.add(where, problem, FieldTimestamp)
	}
	return t, end
}

// textField scans the value at i and returns what it says if it is a string.
func (p *parser) textField(i int, where place, field string) (text string, end int, ok bool) {
	if c := p.at(i); c != '"' {
		if end = p.value(i, eventDepth+1); end >= 0 {
			p.report.add(where, "must be a string, not "+kindOfValue(c), field)
		}
		return "", end, false
	}
	end, escaped := p.string(i)
	if end < 0 {
		return "", end, false
	}
	return p.content(i, end, escaped), end, true
}

// objectField scans the value at i and returns its text as it stands.
func (p *parser) objectField(i int, where place, field string) (text string, end int) {
	c := p.at(i)
	if end = p.value(i, eventDepth+1); end < 0 {
		return "", end
	}
	if c != '{' {
		p.report.add(where, "must be a JSON object, not "+kindOfValue(c), field)
	}
	return p.text[i:end], end
}

// kindOfValue names the kind of the JSON value that starts with c.
func kindOfValue(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// nameProblem says what is wrong with an event's type or source, if anything.
func nameProblem(text string) string {
	switch {
	case text == "":
		return "must not be empty"
	case len(text) > MaxNameLength && utf8.RuneCountInString(text) > MaxNameLength:
		return "must not be longer than 255 characters"
	}
	return ""
}
