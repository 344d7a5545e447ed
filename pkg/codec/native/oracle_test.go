package native_test

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// expectation is what ought to come of a body, found out a second time and slowly:
// jsontext knows JSON, the rest is written after the contract.
type expectation struct {
	// notJSON says that the body is rejected for its JSON, tooMany for the
	// number of its events. Nothing else counts then.
	notJSON, tooMany bool
	// tooLarge says that an event is longer than the limit.
	tooLarge bool
	// problems are the pointers of all other problems.
	problems []string
	// events have a zero id where one must be minted.
	events []event.Event
}

// expect returns the expectation on the body of one event.
func expect(body string, l event.Limits) expectation {
	if text := strings.Trim(body, " \t\r\n"); len(text) > l.MaxEventBytes {
		return expectation{tooLarge: true, problems: []string{""}}
	}
	dec := jsontext.NewDecoder(strings.NewReader(body))
	value, err := dec.ReadValue()
	if err != nil || !storable(value, l.MaxDepth) {
		return expectation{notJSON: true}
	}
	var v expectation
	v.event("", value.Clone())
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return expectation{notJSON: true}
	}
	return v
}

// expectBatch returns the expectation on the body of a batch.
func expectBatch(body string, l event.Limits) expectation {
	dec := jsontext.NewDecoder(strings.NewReader(body))
	if dec.PeekKind() != '[' {
		value, err := dec.ReadValue()
		if err != nil || !storable(value, l.MaxDepth) {
			return expectation{notJSON: true}
		}
		if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
			return expectation{notJSON: true}
		}
		return expectation{problems: []string{""}}
	}
	if _, err := dec.ReadToken(); err != nil {
		return expectation{notJSON: true}
	}
	var v expectation
	for n := 0; ; n++ {
		if kind := dec.PeekKind(); kind == ']' {
			break
		} else if n == l.MaxBatchEvents {
			// With a comma there is one too many, whatever follows it.
			rest := strings.TrimLeft(body[dec.InputOffset():], " \t\r\n")
			return expectation{tooMany: strings.HasPrefix(rest, ","), notJSON: !strings.HasPrefix(rest, ",")}
		}
		value, err := dec.ReadValue()
		if err != nil || !storable(value, l.MaxDepth) {
			return expectation{notJSON: true}
		}
		pointer := jsontext.Pointer("").AppendToken(strconv.Itoa(n))
		v.event(pointer, value.Clone())
		if len(value) > l.MaxEventBytes {
			v.tooLarge = true
			v.problems = append(v.problems, string(pointer))
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return expectation{notJSON: true}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return expectation{notJSON: true}
	}
	if len(v.events) == 0 && len(v.problems) == 0 {
		v.problems = []string{""}
	}
	if len(v.problems) == 0 {
		v.conflicts()
	}
	return v
}

// conflicts finds events that have an earlier one's id and differ from it.
func (v *expectation) conflicts() {
	first := map[uuid.UUID]event.Event{}
	for n, e := range v.events {
		other, seen := first[e.ID]
		switch {
		case e.ID == uuid.Nil:
		case !seen:
			first[e.ID] = e
		case other != e:
			v.problems = append(v.problems, fmt.Sprintf("/%d/event_id", n))
		}
	}
}

// storable says whether JSON can be kept as it is: not too deep, without U+0000,
// with numbers within bounds.
func storable(value jsontext.Value, maxDepth int) bool {
	dec := jsontext.NewDecoder(strings.NewReader(string(value)))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if dec.StackDepth() > maxDepth {
			return false
		}
		switch token.Kind() {
		case '"':
			if strings.Contains(token.String(), "\x00") {
				return false
			}
		case '0':
			if !storableNumber(token.String()) {
				return false
			}
		}
	}
}

// storableNumber writes the number out in full and counts.
func storableNumber(number string) bool {
	mantissa, power, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(number, "-")), "e")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil || exponent > 1000 || exponent < -1000 {
			return false
		}
	}
	integer, fraction, _ := strings.Cut(mantissa, ".")
	for ; exponent > 0; exponent-- {
		if fraction == "" {
			integer += "0"
			continue
		}
		integer, fraction = integer+fraction[:1], fraction[1:]
	}
	for ; exponent < 0; exponent++ {
		integer = "0" + integer
		fraction, integer = integer[len(integer)-1:]+fraction, integer[:len(integer)-1]
	}
	integer = strings.TrimLeft(integer, "0")
	return len(integer) <= 131072 && len(fraction) <= 16383
}

var canonicalUUID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// event adds the expectation on one event, at that pointer.
func (v *expectation) event(at jsontext.Pointer, value jsontext.Value) {
	before := len(v.problems)
	wrong := func(field string) {
		p := at.AppendToken(field)
		if len(p) > 1024 {
			p = at
		}
		v.problems = append(v.problems, string(p))
	}
	if value.Kind() != '{' {
		v.problems = append(v.problems, string(at))
		return
	}
	e := event.Event{Payload: "{}", Metadata: "{}"}
	missing := []string{"event_type", "source", "timestamp"}
	dec := jsontext.NewDecoder(strings.NewReader(string(value)))
	must(dec.ReadToken())
	for dec.PeekKind() == '"' {
		field := must(dec.ReadToken()).String()
		member := must(dec.ReadValue()).Clone()
		text := ""
		if member.Kind() == '"' {
			text = string(must(jsontext.AppendUnquote(nil, member)))
		}
		for i, name := range missing {
			if name == field {
				missing = append(missing[:i:i], missing[i+1:]...)
				break
			}
		}
		good := false
		switch field {
		case "event_id":
			if good = canonicalUUID.MatchString(text) && text != uuid.Nil.String(); good {
				e.ID = uuid.MustParse(text)
			}
		case "event_type":
			e.Type, good = text, text != "" && utf8.RuneCountInString(text) <= 255
		case "source":
			e.Source, good = text, text != "" && utf8.RuneCountInString(text) <= 255
		case "timestamp":
			var err error
			e.Timestamp, err = event.ParseTimestamp(text)
			good = err == nil
		case "payload":
			e.Payload, good = string(member), member.Kind() == '{'
		case "metadata":
			e.Metadata, good = string(member), member.Kind() == '{'
		}
		if !good {
			wrong(field)
		}
	}
	for _, field := range missing {
		wrong(field)
	}
	if len(v.problems) == before {
		v.events = append(v.events, e)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// compareParse holds Parse against the expectation.
func compareParse(tb testing.TB, body string, l event.Limits) {
	tb.Helper()
	e, err := native.Parse(body, l)
	compare(tb, expect(body, l), body, []event.Event{e}, err, l)

	// Alone or in a batch is the same, but for the pointers.
	events, batchErr := native.ParseBatch("["+body+"]", l)
	if err != nil {
		return // "1,2" is two events in a batch
	}
	require.NoError(tb, batchErr)
	require.Len(tb, events, 1)
	if again := must(native.Parse(body, l)); again.ID != e.ID {
		events[0].ID = e.ID // each was minted
	}
	require.Equal(tb, e, events[0])
}

// compareParseBatch holds ParseBatch against the expectation.
func compareParseBatch(tb testing.TB, body string, l event.Limits) {
	tb.Helper()
	events, err := native.ParseBatch(body, l)
	compare(tb, expectBatch(body, l), body, events, err, l)
}

func compare(tb testing.TB, v expectation, body string, events []event.Event, err error, l event.Limits) {
	tb.Helper()
	if err != nil {
		rejection := requireError(tb, err)
		compareRejection(tb, v, rejection, l)
		return
	}
	if v.notJSON || v.tooMany || v.tooLarge || len(v.problems) > 0 {
		tb.Fatalf("accepted %q, but %+v", body, v)
	}
	require.Len(tb, events, len(v.events))
	for i, e := range events {
		back, err := event.FromFields(e.AppendFields(nil))
		require.NoError(tb, err)
		require.Equal(tb, e, back)
		back, err = event.New(e.Draft(), l)
		require.NoError(tb, err)
		require.Equal(tb, e, back, "scanned within the body or alone")
		back, err = native.Parse(string(e.AppendJSON(nil)), event.DefaultLimits())
		require.NoError(tb, err)
		require.Equal(tb, e, back)

		for _, text := range []string{e.Payload, e.Metadata} {
			require.True(tb, jsontext.Value(text).IsValid(), text)
			require.True(tb, text == "{}" || strings.Contains(body, text), text)
		}
		if v.events[i].ID == uuid.Nil && e.ID != uuid.Nil {
			require.Equal(tb, uuid.Version(7), e.ID.Version())
			e.ID = uuid.Nil
		}
		require.Equal(tb, v.events[i], e)
	}
}

func compareRejection(tb testing.TB, v expectation, rejection *event.Error, l event.Limits) {
	tb.Helper()
	wantKind, want := event.KindInvalid, v.problems
	if v.tooLarge || v.tooMany {
		wantKind = event.KindTooLarge
	}
	for _, p := range pointers(rejection) {
		require.True(tb, jsontext.Pointer(p).IsValid(), p)
		require.LessOrEqual(tb, len(p), 1024)
		require.True(tb, utf8.ValidString(p), p)
	}
	switch {
	case v.notJSON:
		require.Len(tb, rejection.Problems, 1, "%+v", rejection)
		require.Contains(tb, rejection.Problems[0].Detail, ", at byte ", "%+v", rejection)
	case v.tooMany:
		require.Equal(tb, []string{""}, pointers(rejection))
	default:
		require.NotEmpty(tb, want, "rejected: %+v", rejection)
		listed := min(len(want), l.MaxProblems)
		require.Equal(tb, want[:listed], pointers(rejection))
		require.Equal(tb, len(want)-listed, rejection.More)
	}
	require.Equal(tb, wantKind, rejection.Kind, "%+v", rejection)
}
