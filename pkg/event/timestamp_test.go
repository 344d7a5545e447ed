package event_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// parseTimestamp reads a timestamp as an event has it, from stream fields.
func parseTimestamp(tb testing.TB, text string) (t time.Time, problem string) {
	tb.Helper()
	e, err := event.FromFields(entry("timestamp", text))
	if err != nil {
		rejection := requireError(tb, err)
		require.Equal(tb, []string{"/timestamp"}, pointers(rejection))
		return time.Time{}, rejection.Problems[0].Detail
	}
	return e.Timestamp, ""
}

func TestParseTimestamp(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-04T05:06:07Z":      "2026-03-04T05:06:07Z",
		"2026-03-04t05:06:07z":      "2026-03-04T05:06:07Z",
		"2026-03-04T05:06:07+00:00": "2026-03-04T05:06:07Z",
		"2026-03-04T05:06:07-00:00": "2026-03-04T05:06:07Z",
		"2026-03-04T05:06:07+05:30": "2026-03-03T23:36:07Z",
		"2026-03-04T05:06:07-12:45": "2026-03-04T17:51:07Z",
		"2026-03-04T05:06:07+23:59": "2026-03-03T05:07:07Z",
		"2026-03-04T05:06:07-23:59": "2026-03-05T05:05:07Z",
		"2026-03-04T00:00:00Z":      "2026-03-04T00:00:00Z",
		"2026-03-04T23:59:59Z":      "2026-03-04T23:59:59Z",

		"2026-03-04T05:06:07.1Z":                            "2026-03-04T05:06:07.1Z",
		"2026-03-04T05:06:07.123456Z":                       "2026-03-04T05:06:07.123456Z",
		"2026-03-04T05:06:07.1234569Z":                      "2026-03-04T05:06:07.123456Z",
		"2026-03-04T05:06:07.999999999999999999999Z":        "2026-03-04T05:06:07.999999Z",
		"2026-03-04T05:06:07.0000001+01:00":                 "2026-03-04T04:06:07Z",
		"1969-12-31T23:59:59.9999999Z":                      "1969-12-31T23:59:59.999999Z",
		"2026-03-04T05:06:07." + repeat("12", 999) + "Z":    "2026-03-04T05:06:07.121212Z",
		"2026-03-04T05:06:07.000000" + repeat("9", 9):       "",
		"2026-03-04T05:06:07.000000" + repeat("9", 9) + "Z": "2026-03-04T05:06:07Z",

		"2024-02-29T12:00:00Z": "2024-02-29T12:00:00Z",
		"2000-02-29T12:00:00Z": "2000-02-29T12:00:00Z",
		"2023-02-29T12:00:00Z": "",
		"1900-02-29T12:00:00Z": "",
		"2026-04-31T12:00:00Z": "",
		"2026-01-00T12:00:00Z": "",
		"2026-01-32T12:00:00Z": "",
		"2026-00-01T12:00:00Z": "",
		"2026-13-01T12:00:00Z": "",
		"2026-03-04T24:00:00Z": "",
		"2026-03-04T05:60:00Z": "",
		"2026-03-04T05:06:61Z": "",

		"2016-12-31T23:59:60Z":        "2017-01-01T00:00:00Z",
		"2015-06-30T23:59:60Z":        "2015-07-01T00:00:00Z",
		"2016-12-31T23:59:60.75Z":     "2017-01-01T00:00:00.75Z",
		"2016-12-31T18:59:60-05:00":   "2017-01-01T00:00:00Z",
		"2017-01-01T05:29:60.5+05:30": "2017-01-01T00:00:00.5Z",
		"1972-06-30T23:59:60Z":        "1972-07-01T00:00:00Z",
		"1971-12-31T23:59:60Z":        "",
		"1971-06-30T23:59:60Z":        "",
		"2016-12-31T23:59:60+01:00":   "",
		"2016-12-30T23:59:60Z":        "",
		"2016-03-31T23:59:60Z":        "",
		"2016-12-31T23:58:60Z":        "",
		"2016-12-31T22:59:60Z":        "",
		"2016-12-31T23:59:61Z":        "",
		"9999-12-31T23:59:60Z":        "",
		"2026-03-04T05:06:60Z":        "",

		"0001-01-01T00:00:00Z":           "0001-01-01T00:00:00Z",
		"0001-01-01T00:00:00+00:01":      "",
		"0000-12-31T23:59:00-00:01":      "0001-01-01T00:00:00Z",
		"0000-12-31T23:59:59Z":           "",
		"0000-02-29T00:00:00Z":           "",
		"9999-12-31T23:59:59.999999999Z": "9999-12-31T23:59:59.999999Z",
		"9999-12-31T23:59:59-00:01":      "",
		"9999-12-31T23:59:59+00:01":      "9999-12-31T23:58:59Z",

		"":                               "",
		"Z":                              "",
		"2026-03-04":                     "",
		"2026-03-04T05:06Z":              "",
		"2026-03-04T05:06:07":            "",
		"2026-03-04T05:06:07.5":          "",
		"2026-03-04T05:06:07.Z":          "",
		"2026-03-04T05:06:07,5Z":         "",
		"2026-03-04T05:06:07.5.5Z":       "",
		"2026-03-04 05:06:07Z":           "",
		"2026-03-04_05:06:07Z":           "",
		"2026-3-4T5:06:07Z":              "",
		"2026-03-04T5:06:07.0Z":          "",
		"20260304T050607Z0000":           "",
		"02026-03-04T05:06:07Z":          "",
		"+2026-03-04T05:06:07Z":          "",
		"-026-03-04T05:06:07Z":           "",
		"2026-03-04T05:06:07+0530":       "",
		"2026-03-04T05:06:07+05":         "",
		"2026-03-04T05:06:07+24:00":      "",
		"2026-03-04T05:06:07+05:60":      "",
		"2026-03-04T05:06:07 05:30":      "",
		"2026-03-04T05:06:07Z+05:30":     "",
		"2026-03-04T05:06:07ZZ":          "",
		"2026-03-04T05:06:07Z ":          "",
		" 2026-03-04T05:06:07Z":          "",
		"2026-03-04T05:06:07+05:30:00":   "",
		"2026-03-04T05:06:07\u221205:30": "",
		"２０２６-03-04T05:06:07Z":           "",
		"2026-03-04T05:06:07\x1a":        "",
	} {
		got, problem := parseTimestamp(t, text)
		if want == "" {
			require.NotEmpty(t, problem, text)
			require.Zero(t, got, text)
			continue
		}
		require.Empty(t, problem, text)
		require.Equal(t, want, got.Format(time.RFC3339Nano), text)
		require.Equal(t, time.UTC, got.Location(), text)
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// TestParseTimestamp_KnowsEveryDay compares each day of some centuries, and the
// days that no month has.
func TestParseTimestamp_KnowsEveryDay(t *testing.T) {
	for _, year := range []string{"0001", "0004", "0100", "1600", "1899", "1900", "1970", "1999", "2000", "2023", "2024", "2100", "2200", "2400", "9999"} {
		for month := range 14 {
			for day := range 33 {
				text := year + "-" + twoDigit(month) + "-" + twoDigit(day) + "T12:30:00.5+01:00"
				compareTimestamp(t, text)
			}
		}
	}
}

func twoDigit(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

// grammar is RFC 3339, section 5.6, as far as a pattern can say it: time.Parse
// takes more.
var grammar = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// compareTimestamp holds parseTimestamp against time.Parse.
func compareTimestamp(t *testing.T, text string) {
	t.Helper()
	got, problem := parseTimestamp(t, text)
	want, ok := referenceTimestamp(text)
	if ok != (problem == "") {
		t.Fatalf("%q: %q, reference says %v", text, problem, ok)
	}
	if ok && got != want {
		t.Fatalf("%q: %v, reference says %v", text, got, want)
	}
	if !ok && !got.IsZero() {
		t.Fatalf("%q: a time with a problem", text)
	}
}

func referenceTimestamp(text string) (time.Time, bool) {
	if !grammar.MatchString(text) {
		return time.Time{}, false
	}
	text = strings.ToUpper(text)
	leap := text[17:19] == "60"
	if leap {
		text = text[:17] + "59" + text[19:]
	}
	want, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, false
	}
	want = want.UTC().Truncate(time.Microsecond)
	if leap {
		switch day := want.Format("01-02 15:04:05"); {
		case want.Year() < 1972, day != "06-30 23:59:59" && day != "12-31 23:59:59":
			return time.Time{}, false
		}
		want = want.Add(time.Second)
	}
	return want, want.Year() >= 1 && want.Year() <= 9999
}

func FuzzTimestamp(f *testing.F) {
	for _, seed := range []string{
		"2026-03-04T05:06:07Z", "2026-03-04t05:06:07.123456789z", "2016-12-31T23:59:60Z",
		"2016-12-31T18:59:60.5-05:00", "0001-01-01T00:00:00+00:01", "0000-12-31T23:59:00-00:01",
		"9999-12-31T23:59:59.999999999Z", "2024-02-29T00:00:00+23:59", "1969-12-31T23:59:59.9999999-00:00",
		"2026-03-04 05:06:07Z", "2026-03-04T05:06:07,5Z", "2026-03-04T05:06:07+0530", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(compareTimestamp)
}
