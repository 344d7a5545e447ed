package deadletter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

func TestMend_AcceptsOnlyValidEvents(t *testing.T) {
	const id = "9e107d9d-372b-4d6c-8a3e-5b1f0a2c3d4e"
	for _, tt := range []struct {
		name   string
		fields []string // changes of a good event
		set    []string
		errs   []string // what the error says; none when it is mended
		wants  []string // name and value of a field as it goes back
	}{
		{"id", []string{event.FieldID, "42"}, []string{"event_id=" + id}, nil, []string{event.FieldID, id}},
		{"time", []string{event.FieldTimestamp, "yesterday"}, []string{"timestamp=2026-01-02T05:04:05+02:00"}, nil, []string{event.FieldTimestamp, "2026-01-02T03:04:05Z"}},
		{"payload", []string{event.FieldPayload, `{"a":`}, []string{`payload={"a":1e400, "b":"x=y"}`}, nil, []string{event.FieldPayload, `{"a":1e400, "b":"x=y"}`}},
		{"type with quotes", nil, []string{`event_type="<\` + "\u2028é"}, nil, []string{event.FieldType, `"<\` + "\u2028é"}},
		{"the last one counts", nil, []string{"source=a", "source=b"}, nil, []string{event.FieldSource, "b"}},
		{"still no id", []string{event.FieldID, "42"}, []string{"source=b"}, []string{"nothing was changed", "event_id: "}, nil},
		{"still a NUL", []string{event.FieldPayload, `{"a":"\u0000"}`}, []string{"source=b"}, []string{"payload/a: "}, nil},
		{"no object", nil, []string{"payload=[]"}, []string{"payload: must be a JSON object"}, nil},
		{"all that is wrong", nil, []string{"payload=[]", "event_type="}, []string{"payload: ", "event_type: "}, nil},
		{"out of its place", nil, []string{`payload={},"x":{}`}, []string{"payload: expected nothing after the object"}, nil},
		{"over its sibling", nil, []string{`payload={},"source":"x"`}, []string{"payload: expected nothing after the object"}, nil},
		{"twice a name", nil, []string{`metadata={"a":1,"a":2}`}, []string{"metadata"}, nil},
		{"no text", nil, []string{"source=\xff"}, []string{"source: must be valid UTF-8"}, nil},
		{"too large", nil, []string{`payload={"a":"` + strings.Repeat("x", 300<<10) + `"}`}, []string{"262144"}, nil},
	} {
		store := &fakeStore{letters: []stream.DeadLetter{deadLetter(1, tt.fields...), deadLetter(2)}}
		store.letters[0].Fields = append(store.letters[0].Fields, "trace", "abc")
		d := serviceOf(store)
		var changes []Change
		for _, text := range tt.set {
			c, err := ParseChange(text)
			require.NoError(t, err, tt.name)
			changes = append(changes, c)
		}
		_, dryErr := d.Mend(t.Context(), store.letters[0].ID, changes, true)
		require.Len(t, store.letters, 2, tt.name)
		r, err := d.Mend(t.Context(), store.letters[0].ID, changes, false)
		if len(tt.errs) > 0 {
			for _, says := range tt.errs {
				require.ErrorContains(t, err, says, tt.name)
				require.ErrorContains(t, dryErr, says, tt.name)
			}
			require.Zero(t, r.Replayed, tt.name)
			require.Len(t, store.letters, 2, tt.name)
			continue
		}
		require.NoError(t, err, tt.name)
		require.NoError(t, dryErr, tt.name)
		require.Equal(t, Replayed{Matched: 1, Replayed: 1}, r, tt.name)
		require.Len(t, store.letters, 1, tt.name)
		require.Equal(t, tt.wants[1], Field(store.back[0], tt.wants[0]), tt.name)
		require.Equal(t, "abc", Field(store.back[0], "trace"), tt.name)
	}
}

func TestMend_FromFieldsThatAreNoEvent(t *testing.T) {
	all := []Change{
		{event.FieldID, "9e107d9d-372b-4d6c-8a3e-5b1f0a2c3d4e"},
		{event.FieldType, "t"}, {event.FieldSource, "s"}, {event.FieldTimestamp, "2026-01-02T03:04:05Z"},
	}
	for _, fields := range [][]string{nil, {"odd"}, {"event_type", "a", "event_type", "b", "hello", "world"}} {
		got, err := mend(fields, all, event.DefaultLimits())
		require.NoError(t, err)
		e, err := event.FromFields(got)
		require.NoError(t, err)
		require.Equal(t, "t", e.Type)
		require.Equal(t, "{}", e.Payload)
	}
}

func TestParseChange_RejectsOtherFields(t *testing.T) {
	for _, text := range []string{"", "source", "=x", "dlq_reason=x", "Source=x"} {
		_, err := ParseChange(text)
		require.ErrorContains(t, err, "event_id, event_type, source", text)
	}
}
