package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const someID = "0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70"

func TestAppendFields(t *testing.T) {
	e := event.Event{
		ID: uuid.MustParse(someID), Type: "t", Source: "s",
		Timestamp: time.Date(2026, 3, 4, 5, 6, 7, 120_000_000, time.UTC),
		Payload:   `{"a":1}`, Metadata: `{}`,
	}
	want := []string{
		"event_id", someID, "event_type", "t", "source", "s",
		"timestamp", "2026-03-04T05:06:07.12Z", "payload", `{"a":1}`, "metadata", "{}",
	}
	require.Equal(t, want, e.AppendFields(nil))
	require.Equal(t, append([]string{"x", "y"}, want...), e.AppendFields([]string{"x", "y"}))

	for text, at := range map[string]time.Time{
		"0001-01-01T00:00:00Z":        {},
		"9999-12-31T23:59:59.999999Z": time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		"2026-03-04T05:06:07.000001Z": time.Date(2026, 3, 4, 5, 6, 7, 1000, time.UTC),
		"2026-03-03T23:36:07Z":        time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 19800)),
	} {
		e.Timestamp = at
		require.Equal(t, text, e.AppendFields(nil)[7])
	}
}

func TestFromFields_IgnoresFurtherFields(t *testing.T) {
	e, err := event.FromFields([]string{
		"trace", "x\x00\xff", "timestamp", "2026-03-04t05:06:07.9999999+05:30", "source", "s",
		"event_id", strings.ToUpper(someID), "trace", "again", "event_type", "t",
	})
	require.NoError(t, err)
	require.Equal(t, event.Event{
		ID: uuid.MustParse(someID), Type: "t", Source: "s",
		Timestamp: time.Date(2026, 3, 3, 23, 36, 7, 999_999_000, time.UTC),
		Payload:   "{}", Metadata: "{}",
	}, e)

	e, err = event.FromFields(entry("payload", " \r\n\t{not JSON", "metadata", "{"))
	require.NoError(t, err, "the database judges JSON")
	require.Equal(t, " \r\n\t{not JSON", e.Payload)
	require.Equal(t, "{", e.Metadata)
}

// entry returns the fields of a valid entry with some of them changed.
func entry(changes ...string) []string {
	fields := []string{
		"event_id", someID, "event_type", "t", "source", "s",
		"timestamp", goodTime, "payload", "{}", "metadata", "{}",
	}
	for i := 0; i < len(changes); i += 2 {
		for f := 0; f < len(fields); f += 2 {
			if fields[f] == changes[i] {
				fields[f+1] = changes[i+1]
			}
		}
	}
	return fields
}

func TestFromFields_RejectsWhatIsNoEvent(t *testing.T) {
	for _, test := range []struct {
		name     string
		fields   []string
		pointers []string
		detail   string
	}{
		{"nothing", nil, []string{"/event_id", "/event_type", "/source", "/timestamp"}, "required"},
		{"something else", []string{"hello", "world"}, []string{"/event_id", "/event_type", "/source", "/timestamp"}, "required"},
		{"a field without a value", append(entry(), "x"), []string{""}, "value"},
		{"a field twice", append(entry(), "source", "s"), []string{"/source"}, "twice"},
		{"an id that is none", entry("event_id", "42"), []string{"/event_id"}, "UUID"},
		{"an empty id", entry("event_id", ""), []string{"/event_id"}, "UUID"},
		{"an empty type", entry("event_type", ""), []string{"/event_type"}, "empty"},
		{"a long type", entry("event_type", strings.Repeat("é", 256)), []string{"/event_type"}, "255"},
		{"a type that is not UTF-8", entry("event_type", "\xff"), []string{"/event_type"}, "UTF-8"},
		{"a source with NUL", entry("source", "a\x00b"), []string{"/source"}, "U+0000"},
		{"a timestamp that is none", entry("timestamp", "now"), []string{"/timestamp"}, "RFC 3339"},
		{"a timestamp in year 0", entry("timestamp", "0000-01-01T00:00:00Z"), []string{"/timestamp"}, "years"},
		{"an empty payload", entry("payload", ""), []string{"/payload"}, "object"},
		{"a payload that is an array", entry("payload", "[]"), []string{"/payload"}, "object"},
		{"a payload that is not UTF-8", entry("payload", "{\"a\":\"\xff\"}"), []string{"/payload"}, "UTF-8"},
		{"metadata null", entry("metadata", "null"), []string{"/metadata"}, "object"},
		{"metadata with NUL", entry("metadata", "{}\x00"), []string{"/metadata"}, "U+0000"},
		{
			"everything wrong", entry("metadata", "x", "payload", "x", "timestamp", "x", "source", "", "event_type", "", "event_id", "x"),
			[]string{"/event_id", "/event_type", "/source", "/timestamp", "/payload", "/metadata"}, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := event.FromFields(test.fields)
			require.Zero(t, e)
			rejection := requireError(t, err)
			require.Equal(t, event.KindInvalid, rejection.Kind)
			require.Equal(t, test.pointers, pointers(rejection))
			require.Contains(t, rejection.Problems[0].Detail, test.detail)
		})
	}
}

func TestFields_AllocateAtMostOnce(t *testing.T) {
	e := sample(t)
	fields := make([]string, 0, 12)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { fields = e.AppendFields(fields[:0]) }), 1.0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := event.FromFields(fields); err != nil {
			t.Error(err)
		}
	}))
}
