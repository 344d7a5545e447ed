package native

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// event scans the value at i as an event and fills in e, unless there was a
// problem with the body so far.
func (p *parser) event(i int, at event.Place, e *event.Event) int {
	if c := p.At(i); c != '{' {
		end := p.Value(i, eventDepth)
		if end >= 0 {
			p.report.Add(at, "must be a JSON object, not "+kindOfValue(c))
		}
		return end
	}

	var d event.Draft
	var hasType, hasSource, hasTimestamp bool
	scope := p.OpenObject()
	i, more := p.First(i, '}')
	for more {
		var name string
		if name, i = p.Member(i, scope); i < 0 {
			return i
		}
		switch name {
		case event.FieldID:
			d.ID, i = p.idMember(i, at)
		case event.FieldType:
			hasType = true
			d.Type, i = p.nameMember(i, at, event.FieldType)
		case event.FieldSource:
			hasSource = true
			d.Source, i = p.nameMember(i, at, event.FieldSource)
		case event.FieldTimestamp:
			hasTimestamp = true
			d.Timestamp, i = p.timestampMember(i, at)
		case event.FieldPayload:
			d.Payload, i = p.objectMember(i, at, event.FieldPayload)
		case event.FieldMetadata:
			d.Metadata, i = p.objectMember(i, at, event.FieldMetadata)
		default:
			if i = p.Value(i, eventDepth+1); i >= 0 {
				p.report.Add(at, "unknown field: put it in payload or metadata", name)
			}
		}
		if i < 0 {
			return p.Inside(name)
		}
		i, more = p.Next(i, '}')
	}
	if i < 0 {
		return i
	}
	p.CloseObject(scope)

	if !hasType {
		p.report.Add(at, event.ErrRequired.Error(), event.FieldType)
	}
	if !hasSource {
		p.report.Add(at, event.ErrRequired.Error(), event.FieldSource)
	}
	if !hasTimestamp {
		p.report.Add(at, event.ErrRequired.Error(), event.FieldTimestamp)
	}
	p.make(d, at, e)
	return i
}

// make makes the event of d if nothing is wrong with the body so far. What the
// members reported in the order of the body is not reported again.
func (p *parser) make(d event.Draft, at event.Place, e *event.Event) {
	if !p.report.Empty() {
		return
	}
	var err error
	if *e, err = event.New(d, p.limits); err != nil {
		if invalid, ok := errors.AsType[*event.Error](err); ok {
			p.report.AddError(at, invalid)
		}
	}
}

func (p *parser) idMember(i int, at event.Place) (uuid.UUID, int) {
	text, end, ok := p.textMember(i, at, event.FieldID)
	if !ok {
		return uuid.UUID{}, end
	}
	p.ids++
	id, err := event.ParseID(text)
	switch {
	case err != nil:
		p.report.Add(at, err.Error(), event.FieldID)
	case id == uuid.Nil:
		// What a producer sends that forgot to set it: all of its events would
		// be one. RFC 9562, section 5.9.
		p.report.Add(at, "must not be the nil UUID: leave it out to have one made", event.FieldID)
	}
	return id, end
}

func (p *parser) nameMember(i int, at event.Place, field string) (string, int) {
	text, end, ok := p.textMember(i, at, field)
	if !ok {
		return "", end
	}
	if err := event.CheckName(text); err != nil {
		p.report.Add(at, err.Error(), field)
	}
	return text, end
}

func (p *parser) timestampMember(i int, at event.Place) (time.Time, int) {
	text, end, ok := p.textMember(i, at, event.FieldTimestamp)
	if !ok {
		return time.Time{}, end
	}
	t, err := event.ParseTimestamp(text)
	if err != nil {
		p.report.Add(at, err.Error(), event.FieldTimestamp)
	}
	return t, end
}

// textMember scans the value at i and returns what it says if it is a string.
func (p *parser) textMember(i int, at event.Place, field string) (text string, end int, ok bool) {
	if c := p.At(i); c != '"' {
		if end = p.Value(i, eventDepth+1); end >= 0 {
			p.report.Add(at, "must be a string, not "+kindOfValue(c), field)
		}
		return "", end, false
	}
	end, escaped := p.Text(i)
	if end < 0 {
		return "", end, false
	}
	return p.Content(i, end, escaped), end, true
}

// objectMember scans the value at i and returns its text as it stands.
func (p *parser) objectMember(i int, at event.Place, field string) (o event.Object, end int) {
	if c := p.At(i); c != '{' {
		if end = p.Value(i, eventDepth+1); end >= 0 {
			p.report.Add(at, "must be a JSON object, not "+kindOfValue(c), field)
		}
		return event.Object{}, end
	}
	return p.Object(i, eventDepth+1)
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
