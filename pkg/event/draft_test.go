package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const goodTime = "2026-03-04T05:06:07Z"

// draft returns what makes a valid event.
func draft() event.Draft {
	return event.Draft{
		ID: uuid.MustParse(someID), Type: "order.created", Source: "shop/checkout",
		Timestamp: time.Date(2026, 3, 4, 5, 6, 7, 123_456_789, time.FixedZone("", 19800)),
		Payload:   event.ObjectText(` {"order":1234567,"total":99.95} `), Metadata: event.ObjectText(`{"v":1}`),
	}
}

// sample returns the event of [draft].
func sample(tb testing.TB) event.Event {
	tb.Helper()
	e, err := event.New(draft(), event.DefaultLimits())
	require.NoError(tb, err)
	return e
}

func requireError(tb testing.TB, err error) *event.Error {
	tb.Helper()
	var e *event.Error
	require.ErrorAs(tb, err, &e)
	require.NotEmpty(tb, e.Detail)
	for _, p := range e.Problems {
		require.NotEmpty(tb, p.Detail)
	}
	return e
}

func pointers(e *event.Error) []string {
	ps := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		ps[i] = p.Pointer
	}
	return ps
}

func TestNew(t *testing.T) {
	require.Equal(t, event.Event{
		ID: uuid.MustParse(someID), Type: "order.created", Source: "shop/checkout",
		Timestamp: time.Date(2026, 3, 3, 23, 36, 7, 123_456_000, time.UTC),
		Payload:   `{"order":1234567,"total":99.95}`, Metadata: `{"v":1}`,
	}, sample(t))
}

func TestNew_MintsAnIDAndEmptyObjects(t *testing.T) {
	e, err := event.New(event.Draft{Type: "t", Source: "s", Timestamp: time.Now()}, event.DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), e.ID.Version())
	require.Equal(t, "{}", e.Payload)
	require.Equal(t, "{}", e.Metadata)

	back, err := event.FromFields(e.AppendFields(nil))
	require.NoError(t, err)
	require.Equal(t, e, back, "what is stored is what was made")
}

func TestNew_RejectsEveryBreachAtItsField(t *testing.T) {
	for _, test := range []struct {
		name    string
		breach  func(*event.Draft)
		pointer string
		detail  string
	}{
		{"no type", func(d *event.Draft) { d.Type = "" }, "/event_type", "empty"},
		{"long source", func(d *event.Draft) { d.Source = strings.Repeat("é", 256) }, "/source", "255"},
		{"type not UTF-8", func(d *event.Draft) { d.Type = "\xff" }, "/event_type", "UTF-8"},
		{"source with NUL", func(d *event.Draft) { d.Source = "a\x00" }, "/source", "U+0000"},
		{"year 0", func(d *event.Draft) { d.Timestamp = time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC) }, "/timestamp", "years"},
		{"year 10000", func(d *event.Draft) { d.Timestamp = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "/timestamp", "years"},
		{"payload no JSON", func(d *event.Draft) { d.Payload = event.ObjectText(`{"a":nope}`) }, "/payload/a", "expected null"},
		{"payload an array", func(d *event.Draft) { d.Payload = event.ObjectText(`[]`) }, "/payload", "expected a JSON object, found '['"},
		{"payload white space", func(d *event.Draft) { d.Payload = event.ObjectText(" ") }, "/payload", "found the end of the text"},
		{"payload and more", func(d *event.Draft) { d.Payload = event.ObjectText(`{}{}`) }, "/payload", "nothing after the object"},
		{"metadata with U+0000", func(d *event.Draft) { d.Metadata = event.ObjectText(`{"a":["\u0000"]}`) }, "/metadata/a/0", "U+0000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := draft()
			test.breach(&d)
			e, err := event.New(d, event.DefaultLimits())
			require.Zero(t, e)
			rejection := requireError(t, err)
			require.Equal(t, event.KindInvalid, rejection.Kind)
			require.Equal(t, []string{test.pointer}, pointers(rejection))
			require.Contains(t, rejection.Problems[0].Detail, test.detail)
		})
	}

	_, err := event.New(event.Draft{Payload: event.ObjectText("x"), Metadata: event.ObjectText("x")}, event.DefaultLimits())
	require.Equal(t, []string{"/event_type", "/source", "/payload", "/metadata"}, pointers(requireError(t, err)))
}

func TestNew_KeepsToTheLimits(t *testing.T) {
	limits := event.DefaultLimits()
	e := sample(t)
	limits.MaxEventBytes = len(e.Type) + len(e.Source) + len(e.Payload) + len(e.Metadata)
	limits.MaxDepth = 2
	_, err := event.New(draft(), limits)
	require.NoError(t, err)

	limits.MaxEventBytes--
	_, err = event.New(draft(), limits)
	require.Equal(t, event.KindTooLarge, requireError(t, err).Kind)

	limits = event.DefaultLimits()
	limits.MaxDepth = 2
	d := draft()
	d.Payload = event.ObjectText(`{"a":[]}`)
	_, err = event.New(d, limits)
	require.Contains(t, requireError(t, err).Problems[0].Detail, "deeper than 2 levels")

	limits.MaxProblems = 1
	_, err = event.New(event.Draft{}, limits)
	rejection := requireError(t, err)
	require.Len(t, rejection.Problems, 1)
	require.Equal(t, 1, rejection.More)
}

func TestDraft_OfAStoredEventIsJudgedAgain(t *testing.T) {
	e := sample(t)
	again, err := event.New(e.Draft(), event.DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, e, again)

	read, err := event.FromFields(entry("payload", `{"a":1,"a":2}`))
	require.NoError(t, err, "a stream entry's JSON is judged by the database")
	_, err = event.New(read.Draft(), event.DefaultLimits())
	require.Equal(t, []string{"/payload/a"}, pointers(requireError(t, err)))
}

func TestAppendJSON(t *testing.T) {
	require.Equal(t, `x{"event_id":"`+someID+`","event_type":"order.created","source":"shop/checkout",`+
		`"timestamp":"2026-03-03T23:36:07.123456Z","payload":{"order":1234567,"total":99.95},"metadata":{"v":1}}`,
		string(sample(t).AppendJSON([]byte("x"))))
}
