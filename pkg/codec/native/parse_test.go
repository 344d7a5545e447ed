package native_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	goodTime = "2026-03-04T05:06:07Z"
	goodHead = `"event_type":"t","source":"s","timestamp":"` + goodTime + `"`
)

// with returns a valid event with one more member, or several.
func with(members string) string { return "{" + goodHead + "," + members + "}" }

// payload returns a valid event whose payload has one member "v" of that value.
func payload(value string) string { return with(`"payload":{"v":` + value + `}`) }

// fields returns an event of exactly these three fields, in JSON.
func fields(eventType, source, timestamp string) string {
	return fmt.Sprintf(`{"event_type":%s,"source":%s,"timestamp":%s}`, eventType, source, timestamp)
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

// invalid are bodies that are no event for one reason each: the pointer of the
// problem and a part of its detail.
var invalid = []struct {
	name, body, pointer, detail string
}{
	{"empty", ``, "", "empty"},
	{"only space", " \n\t\r", "", "empty"},
	{"truncated at the start", `{`, "", "found the end of the text"},
	{"truncated in a name", `{"event_ty`, "", "the end of a string"},
	{"truncated before a colon", `{"event_type"`, "/event_type", "':'"},
	{"truncated before a value", `{"event_type":`, "/event_type", "a value"},
	{"truncated in a string", `{"event_type":"t`, "/event_type", "the end of a string"},
	{"truncated after a member", `{` + goodHead, "", "',' or '}'"},
	{"truncated after a comma", `{` + goodHead + `,`, "", "name"},
	{"truncated in an array", with(`"payload":{"items":[1,2,`), "/payload/items/2", "a value"},
	{"truncated in an escape", payload(`"\`), "/payload/v", "after a backslash"},
	{"truncated in a unicode escape", payload(`"\u00`), "/payload/v", "four hexadecimal digits"},
	{"truncated in a literal", `{"payload":{"v":tru`, "/payload/v", "expected true, found the end"},
	{"truncated in a number", `{"payload":{"v":-`, "/payload/v", "a digit"},
	{"trailing data", with(`"payload":{}`) + ` {}`, "", "nothing after the event"},
	{"trailing brace", with(`"payload":{}`) + `}`, "", "nothing after the event"},
	{"trailing NUL", with(`"payload":{}`) + "\x00", "", "nothing after the event"},
	{"byte order mark", "\ufeff" + with(`"payload":{}`), "", "byte order mark"},
	{"NaN", payload(`NaN`), "/payload/v", "NaN"},
	{"Infinity", payload(`Infinity`), "/payload/v", "NaN and Infinity"},
	{"minus Infinity", payload(`-Infinity`), "/payload/v", "a digit"},
	{"undefined", payload(`undefined`), "/payload/v", "found 'u'"},
	{"wrong case", payload(`True`), "/payload/v", "found 'T'"},
	{"misspelled literal", payload(`nul`), "/payload/v", "expected null, found '}'"},
	{"line comment", "// hello\n" + with(`"payload":{}`), "", "comments"},
	{"block comment", payload(`/* one */ 1`), "/payload/v", "comments"},
	{"comment before a name", with(`/* x */"payload":{}`), "", "found '/'"},
	{"single quotes", `{'event_type':'t'}`, "", `found '\''`},
	{"bare name", `{event_type:"t"}`, "", "name in double quotes"},
	{"number as a name", `{1:2}`, "", "name in double quotes"},
	{"missing colon", `{"event_type" "t"}`, "/event_type", "':'"},
	{"missing comma", `{"event_type":"t" "source":"s"}`, "", "','"},
	{"double comma", `{"event_type":"t",,"source":"s"}`, "", "name"},
	{"trailing comma in an object", with(`"payload":{"v":1,}`), "/payload", "name"},
	{"trailing comma in an array", payload(`[1,]`), "/payload/v/1", "a value"},
	{"leading comma in an array", payload(`[,1]`), "/payload/v/0", "a value"},
	{"missing comma in an array", payload(`[1 2]`), "/payload/v", "',' or ']'"},
	{"mismatched brackets", payload(`[1}`), "/payload/v", "',' or ']'"},
	{"vertical tab", "\v" + with(`"payload":{}`), "", "a value"},
	{"no-break space", "\u00a0" + with(`"payload":{}`), "", "a value"},

	{"leading zero", payload(`01`), "/payload/v", "needless zero"},
	{"negative leading zero", payload(`-01`), "/payload/v", "needless zero"},
	{"plus sign", payload(`+1`), "/payload/v", "found '+'"},
	{"no integer digits", payload(`.5`), "/payload/v", "found '.'"},
	{"no fraction digits", payload(`1.`), "/payload/v", "after the decimal point"},
	{"no fraction digits before an exponent", payload(`1.e5`), "/payload/v", "after the decimal point"},
	{"no exponent digits", payload(`1e`), "/payload/v", "exponent"},
	{"no exponent digits after a sign", payload(`1e+`), "/payload/v", "exponent"},
	{"hexadecimal", payload(`0x10`), "/payload", "found 'x'"},
	{"exponent PostgreSQL cannot hold", payload(`1e131072`), "/payload/v", "exponent"},
	{"exponent of any length", payload(`1e99999999999999999999999`), "/payload/v", "exponent"},
	{"small exponent PostgreSQL cannot hold", payload(`1e-20000`), "/payload/v", "exponent"},
	{"exponent that only amplifies", payload(`1e1001`), "/payload/v", "exponent"},
	{"negative exponent that only amplifies", payload(`1e-1001`), "/payload/v", "exponent"},
	{"too many integer digits", payload(strings.Repeat("9", 131073)), "/payload/v", "131072"},
	{"too many integer digits by exponent", payload("-" + strings.Repeat("9", 130073) + "e1000"), "/payload/v", "131072"},
	{"too many fraction digits", payload("0." + strings.Repeat("0", 16384)), "/payload/v", "16383"},
	{"too many fraction digits by exponent", payload("0." + strings.Repeat("1", 15384) + "E-1000"), "/payload/v", "16383"},

	{"raw newline", payload("\"a\nb\""), "/payload/v", "control character"},
	{"raw tab", payload("\"a\tb\""), "/payload/v", "control character"},
	{"raw NUL", payload("\"a\x00b\""), "/payload/v", "control character"},
	{"raw control character in a name", with("\"payload\":{\"\x1f\":1}"), "/payload", "control character"},
	{"unknown escape", payload(`"\x41"`), "/payload/v", "after a backslash"},
	{"escape in capitals", payload(`"\U0041"`), "/payload/v", "after a backslash"},
	{"escape without digits", payload(`"\u004g"`), "/payload/v", "four hexadecimal digits"},
	{"escape with a sign", payload(`"\u+041"`), "/payload/v", "four hexadecimal digits"},

	{"invalid UTF-8", payload("\"\xff\""), "/payload/v", "invalid UTF-8"},
	{"invalid UTF-8 in a name", with("\"payload\":{\"\xff\":1}"), "/payload", "invalid UTF-8"},
	{"invalid UTF-8 in event_type", `{"event_type":"` + "\xc3\x28" + `"}`, "/event_type", "invalid UTF-8"},
	{"overlong UTF-8", payload("\"\xc0\xaf\""), "/payload/v", "invalid UTF-8"},
	{"surrogate in UTF-8", payload("\"\xed\xa0\x80\""), "/payload/v", "invalid UTF-8"},
	{"past the last code point", payload("\"\xf4\x90\x80\x80\""), "/payload/v", "invalid UTF-8"},
	{"truncated UTF-8", payload("\"\xe2\x82\""), "/payload/v", "invalid UTF-8"},
	{"body ends in UTF-8", "{\"a\":\"\xe2\x82", "/a", "invalid UTF-8"},
	{"Latin-1", payload("\"caf\xe9\""), "/payload/v", "invalid UTF-8"},

	{"U+0000 in a value", payload(`"\u0000"`), "/payload/v", "U+0000"},
	{"U+0000 within a value", payload(`"abc\u0000def"`), "/payload/v", "U+0000"},
	{"U+0000 in a name", with(`"payload":{"a\u0000":1}`), "/payload", "U+0000"},
	{"U+0000 in event_type", `{"event_type":"\u0000"}`, "/event_type", "U+0000"},
	{"U+0000 after an escaped backslash", payload(`"\\\u0000"`), "/payload/v", "U+0000"},
	{"high surrogate alone", payload(`"\ud83d"`), "/payload/v", "surrogate"},
	{"low surrogate alone", payload(`"\udc00"`), "/payload/v", "surrogate"},
	{"low surrogate twice", payload(`"\udc00\udc00"`), "/payload/v", "surrogate"},
	{"surrogates swapped", payload(`"\ude00\ud83d"`), "/payload/v", "surrogate"},
	{"high surrogate twice", payload(`"\ud83d\ud83d"`), "/payload/v", "surrogate"},
	{"high surrogate and a character", payload(`"\ud83d\u0041"`), "/payload/v", "surrogate"},
	{"high surrogate and an escape", payload(`"\ud83d\n"`), "/payload/v", "surrogate"},
	{"high surrogate at the end", `{"a":"\ud83d\u`, "/a", "surrogate"},
	{"surrogate in a name", with(`"payload":{"\udfff":1}`), "/payload", "surrogate"},

	{"duplicate field", with(`"source":"s"`), "/source", "duplicate"},
	{"duplicate unknown field", `{"x":1,"x":1}`, "/x", "duplicate"},
	{"duplicate name in payload", with(`"payload":{"a":1,"b":2,"a":3}`), "/payload/a", "duplicate"},
	{"duplicate empty name", with(`"payload":{"":1,"":2}`), "/payload/", "duplicate"},
	{"duplicate name deep down", payload(`[0,{"k":{"z":1,"z":2}}]`), "/payload/v/1/k/z", "duplicate"},
	{"duplicate name behind an escape", with(`"payload":{"a":1,"\u0061":2}`), "/payload/a", "duplicate"},
	{"duplicate name behind surrogates", with(`"payload":{"😀":1,"\ud83d\ude00":2}`), "/payload/😀", "duplicate"},
	{"duplicate name behind a slash", with(`"payload":{"a/b~":1,"a\/b~":2}`), "/payload/a~1b~0", "duplicate"},
	{"duplicate name of many", with(`"payload":{` + manyMembers(500) + `,"n123":0}`), "/payload/n123", "duplicate"},

	{"array", `[]`, "", "an array"},
	{"string", `"x"`, "", "a string"},
	{"number", `1`, "", "a number"},
	{"null", `null`, "", "null"},
	{"boolean", `false`, "", "a boolean"},

	{"event_type missing", `{"source":"s","timestamp":"` + goodTime + `"}`, "/event_type", "is required"},
	{"source missing", `{"event_type":"t","timestamp":"` + goodTime + `"}`, "/source", "is required"},
	{"timestamp missing", `{"event_type":"t","source":"s"}`, "/timestamp", "is required"},
	{"field in another case", with(`"Payload":{}`), "/Payload", "payload or metadata"},
	{"event_type a number", fields(`1`, `"s"`, `"`+goodTime+`"`), "/event_type", "a string, not a number"},
	{"event_type null", fields(`null`, `"s"`, `"`+goodTime+`"`), "/event_type", "a string, not null"},
	{"event_type empty", fields(`""`, `"s"`, `"`+goodTime+`"`), "/event_type", "empty"},
	{"event_type too long", fields(quoted("x", 256), `"s"`, `"`+goodTime+`"`), "/event_type", "255"},
	{"event_type too long in characters", fields(quoted("é", 256), `"s"`, `"`+goodTime+`"`), "/event_type", "255"},
	{"event_type too long in escapes", fields(quoted(`\u00e9`, 256), `"s"`, `"`+goodTime+`"`), "/event_type", "255"},
	{"source an object", fields(`"t"`, `{"a":[1]}`, `"`+goodTime+`"`), "/source", "a string, not an object"},
	{"source an array", fields(`"t"`, `[]`, `"`+goodTime+`"`), "/source", "a string, not an array"},
	{"source empty", fields(`"t"`, `""`, `"`+goodTime+`"`), "/source", "empty"},
	{"source too long", fields(`"t"`, quoted("😀", 256), `"`+goodTime+`"`), "/source", "255"},
	{"timestamp a number", fields(`"t"`, `"s"`, `1772600000`), "/timestamp", "a string, not a number"},
	{"timestamp no date", fields(`"t"`, `"s"`, `"yesterday"`), "/timestamp", "RFC 3339"},
	{"timestamp without an offset", fields(`"t"`, `"s"`, `"2026-03-04T05:06:07"`), "/timestamp", "RFC 3339"},
	{"timestamp too long", fields(`"t"`, `"s"`, quoted("2026-03-04T05:06:07Z", 20)), "/timestamp", "RFC 3339"},
	{"timestamp in no month", fields(`"t"`, `"s"`, `"2026-13-04T05:06:07Z"`), "/timestamp", "RFC 3339"},
	{"timestamp in year 0", fields(`"t"`, `"s"`, `"0000-12-31T23:59:59Z"`), "/timestamp", "years"},
	{"event_id no UUID", with(`"event_id":"42"`), "/event_id", "UUID"},
	{"event_id a number", with(`"event_id":42`), "/event_id", "a string, not a number"},
	{"event_id null", with(`"event_id":null`), "/event_id", "a string, not null"},
	{"event_id empty", with(`"event_id":""`), "/event_id", "UUID"},
	{"event_id without hyphens", with(`"event_id":"0190b3a87c007d3e8a512f6b9c4d1e70"`), "/event_id", "UUID"},
	{"event_id in braces", with(`"event_id":"{0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70}"`), "/event_id", "UUID"},
	{"event_id a URN", with(`"event_id":"urn:uuid:0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70"`), "/event_id", "UUID"},
	{"event_id with a wrong digit", with(`"event_id":"0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e7g"`), "/event_id", "UUID"},
	{"event_id with a hyphen moved", with(`"event_id":"0190b3a-87c00-7d3e-8a51-2f6b9c4d1e70"`), "/event_id", "UUID"},
	{"event_id nil", with(`"event_id":"00000000-0000-0000-0000-000000000000"`), "/event_id", "nil UUID"},
	{"payload an array", with(`"payload":[]`), "/payload", "JSON object, not an array"},
	{"payload a string", with(`"payload":"{}"`), "/payload", "JSON object, not a string"},
	{"payload null", with(`"payload":null`), "/payload", "JSON object, not null"},
	{"metadata a number", with(`"metadata":0`), "/metadata", "JSON object, not a number"},
	{"metadata null", with(`"metadata":null`), "/metadata", "JSON object, not null"},
	{"unknown field", with(`"user":{"name":"x"}`), "/user", "payload or metadata"},
	{"unknown field with an empty name", with(`"":1`), "/", "payload or metadata"},
	{"unknown field to be escaped", with(`"a/b~c\"é":1`), "/a~1b~0c\"é", "payload or metadata"},
	{"unknown field with an endless name", with(quoted("x", 5000) + `:1`), "", "payload or metadata"},
}

func quoted(s string, times int) string { return `"` + strings.Repeat(s, times) + `"` }

// manyMembers returns members n0 to n<n-1> of an object.
func manyMembers(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"n%d":%d`, i, i)
	}
	return strings.Join(members, ",")
}

func TestParse_Rejects(t *testing.T) {
	for _, test := range invalid {
		t.Run(test.name, func(t *testing.T) {
			e, err := native.Parse(test.body, event.DefaultLimits())
			require.Zero(t, e)
			rejection := requireError(t, err)
			require.Equal(t, event.KindInvalid, rejection.Kind)
			require.Equal(t, []string{test.pointer}, pointers(rejection))
			require.Contains(t, rejection.Problems[0].Detail, test.detail)
			require.Zero(t, rejection.More)
		})
	}
}

// TestParseBatch_Rejects puts the same events in the middle of a batch.
func TestParseBatch_Rejects(t *testing.T) {
	good := with(`"payload":{}`)
	for _, test := range invalid {
		if strings.HasPrefix(test.name, "trailing") && !strings.Contains(test.name, "comma") ||
			strings.Contains(test.detail, "empty") && test.pointer == "" ||
			strings.Contains(test.detail, "found the end") || strings.HasPrefix(test.name, "truncated") {
			continue // in a batch something follows
		}
		t.Run(test.name, func(t *testing.T) {
			events, err := native.ParseBatch("["+good+","+test.body+","+good+"]", event.DefaultLimits())
			require.Nil(t, events)
			rejection := requireError(t, err)
			require.Equal(t, event.KindInvalid, rejection.Kind)
			require.Equal(t, []string{"/1" + test.pointer}, pointers(rejection))
		})
	}
}

func TestParseBatch_RejectsDifferentEventsOfOneID(t *testing.T) {
	other := strings.Replace(small, "order.created", "order.changed", 1)
	_, err := native.ParseBatch("["+small+","+smallNoID+","+other+","+small+","+other+"]", event.DefaultLimits())
	rejection := requireError(t, err)
	require.Equal(t, event.KindInvalid, rejection.Kind)
	require.Equal(t, []string{"/2/event_id", "/4/event_id"}, pointers(rejection))
	require.Contains(t, rejection.Problems[0].Detail, "event 0")

	events, err := native.ParseBatch("["+small+","+smallNoID+","+small+"]", event.DefaultLimits())
	require.NoError(t, err, "the same event twice is a retry")
	require.Len(t, events, 3)
}

func TestParseBatch_RejectsTheWhole(t *testing.T) {
	good := with(`"payload":{}`)
	for _, test := range []struct{ name, body, pointer, detail string }{
		{"empty body", ``, "", "empty"},
		{"empty batch", ` [ ] `, "", "at least one event"},
		{"one event", good, "", "array of events, not an object"},
		{"null", `null`, "", "array of events, not null"},
		{"truncated before the first", `[`, "/0", "a value"},
		{"truncated after an event", `[` + good, "", "',' or ']'"},
		{"truncated after a comma", `[` + good + `,`, "/1", "a value"},
		{"truncated in an event", `[` + good + `,{"payload":{"a":[0,`, "/1/payload/a/1", "a value"},
		{"trailing comma", `[` + good + `,]`, "/1", "a value"},
		{"trailing data", `[` + good + `]]`, "", "nothing after the batch"},
		{"newline-delimited", good + "\n" + good, "", "nothing after the batch"},
		{"batch in a batch", `[[` + good + `]]`, "/0", "JSON object, not an array"},
		{"byte order mark", "\ufeff[" + good + `]`, "", "byte order mark"},
	} {
		t.Run(test.name, func(t *testing.T) {
			events, err := native.ParseBatch(test.body, event.DefaultLimits())
			require.Nil(t, events)
			rejection := requireError(t, err)
			require.Equal(t, event.KindInvalid, rejection.Kind)
			require.Equal(t, []string{test.pointer}, pointers(rejection))
			require.Contains(t, rejection.Problems[0].Detail, test.detail)
		})
	}
}

func TestParse_Accepts(t *testing.T) {
	for _, test := range []struct{ name, body, payload string }{
		{"the least", "{" + goodHead + "}", `{}`},
		{"space everywhere", " \n{ \t\"event_type\" : \"t\" , \"source\":\"s\",\r\n\"timestamp\" :\"" + goodTime + "\", \"payload\" : { \"v\" : [ 1 , 2 ] } } \n", `{ "v" : [ 1 , 2 ] }`},
		{"escaped backslash before u0000", payload(`"\\u0000"`), `{"v":"\\u0000"}`},
		{"U+2028 and U+2029", payload("\"\u2028\u2029\""), "{\"v\":\"\u2028\u2029\"}"},
		{"delete and C1 controls", payload("\"\x7f\u0080\u009f\""), "{\"v\":\"\x7f\u0080\u009f\"}"},
		{"noncharacters", payload("\"\ufffe\U0010ffff\""), "{\"v\":\"\ufffe\U0010ffff\"}"},
		{"replacement character", payload("\"\ufffd\""), "{\"v\":\"\ufffd\"}"},
		{"byte order mark in a string", payload("\"\ufeff\""), "{\"v\":\"\ufeff\"}"},
		{"emoji", payload(`"😀👩‍👩‍👧‍👦"`), `{"v":"😀👩‍👩‍👧‍👦"}`},
		{"emoji as surrogates", payload(`"\ud83d\ude00\uD83D\uDE00"`), `{"v":"\ud83d\ude00\uD83D\uDE00"}`},
		{"every escape", payload(`"\"\\\/\b\f\n\r\t\u00e9\u0001"`), `{"v":"\"\\\/\b\f\n\r\t\u00e9\u0001"}`},
		{"placeholders", payload(`"?0 ?1 $1 %s {{x}}"`), `{"v":"?0 ?1 $1 %s {{x}}"}`},
		{"SQL", payload(`"'; DROP TABLE events; --"`), `{"v":"'; DROP TABLE events; --"}`},
		{"integers beyond 64 bits", payload(`[18446744073709551616,-9223372036854775809]`), `{"v":[18446744073709551616,-9223372036854775809]}`},
		{"numbers", payload(`[0,-0,0.0,1.50,1e1000,1E-1000,-1.5e+10,0e0,1e0000000000001]`), `{"v":[0,-0,0.0,1.50,1e1000,1E-1000,-1.5e+10,0e0,1e0000000000001]}`},
		{"most integer digits", payload(strings.Repeat("9", 131072)), `{"v":` + strings.Repeat("9", 131072) + `}`},
		{"most integer digits by exponent", payload(strings.Repeat("9", 131082) + "e-10"), `{"v":` + strings.Repeat("9", 131082) + `e-10}`},
		{"most fraction digits", payload("0." + strings.Repeat("1", 16383)), `{"v":0.` + strings.Repeat("1", 16383) + `}`},
		{"most fraction digits by exponent", payload("0." + strings.Repeat("1", 17383) + "e1000"), `{"v":0.` + strings.Repeat("1", 17383) + `e1000}`},
		{"literals", payload(`[true,false,null]`), `{"v":[true,false,null]}`},
		{"empty containers", payload(`[[],{},"",[ ],{ }]`), `{"v":[[],{},"",[ ],{ }]}`},
		{"empty name", with(`"payload":{"":1}`), `{"":1}`},
		{"a name at many levels", with(`"payload":{"a":{"a":[{"a":1},{"a":2}]}}`), `{"a":{"a":[{"a":1},{"a":2}]}}`},
		{"names that differ in case", with(`"payload":{"a":1,"A":2}`), `{"a":1,"A":2}`},
		{"names that differ in form", with("\"payload\":{\"\u00e9\":1,\"e\u0301\":2}"), "{\"\u00e9\":1,\"e\u0301\":2}"},
		{"field names in a payload", with(`"payload":{"payload":1,"event_id":null}`), `{"payload":1,"event_id":null}`},
		{"field name with escapes", with(`"pay\u006coad":{"v":1}`), `{"v":1}`},
		{"many names", with(`"payload":{` + manyMembers(10000) + `}`), `{` + manyMembers(10000) + `}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := native.Parse(test.body, event.DefaultLimits())
			require.NoError(t, err)
			require.Equal(t, test.payload, e.Payload)
			require.Equal(t, `{}`, e.Metadata)
			require.Equal(t, "t", e.Type)
			require.Equal(t, "s", e.Source)
			require.Equal(t, time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), e.Timestamp)

			events, err := native.ParseBatch("["+test.body+"]", event.DefaultLimits())
			require.NoError(t, err)
			require.Len(t, events, 1)
			require.Equal(t, e.Payload, events[0].Payload)
		})
	}
}

func TestParse_ReadsEveryField(t *testing.T) {
	e, err := native.Parse(`{
		"metadata": {"trace": "\u00e9"},
		"timestamp": "2026-03-04T05:06:07.1234567+05:30",
		"payload": {"total": 1.50},
		"source": "caf\u00e9/\ud83d\ude00\/\"\\\b\f\n\r\t",
		"event_type": "order.created",
		"event_id": "0190B3A8-7c00-7D3E-8a51-2f6b9c4d1e70"
	}`, event.DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, event.Event{
		ID:        uuid.MustParse("0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70"),
		Type:      "order.created",
		Source:    "café/😀/\"\\\b\f\n\r\t",
		Timestamp: time.Date(2026, 3, 3, 23, 36, 7, 123456000, time.UTC),
		Payload:   `{"total": 1.50}`,
		Metadata:  `{"trace": "\u00e9"}`,
	}, e)
}

func TestParse_AcceptsNamesUpToTheirLength(t *testing.T) {
	for _, name := range []string{quoted("x", 1), quoted("x", 255), quoted("é", 255), quoted("😀", 255), quoted(`\ud83d\ude00`, 255), `" "`} {
		_, err := native.Parse(fields(name, name, `"`+goodTime+`"`), event.DefaultLimits())
		require.NoError(t, err, name)
	}
}

func TestParse_AcceptsIDsOfAnyVersion(t *testing.T) {
	for _, id := range []string{
		"00000000-0000-0000-0000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"c232ab00-9414-11ec-b3c8-9f6bdeced846", "919108f7-52d1-4320-9bac-f847db4148a8",
		"12345678-1234-f234-1234-123456789abc",
	} {
		e, err := native.Parse(with(`"event_id":"`+strings.ToUpper(id)+`"`), event.DefaultLimits())
		require.NoError(t, err)
		require.Equal(t, id, e.ID.String())
	}
}

func TestParse_ReportsEveryProblemInOrder(t *testing.T) {
	broken := `{"extra":1,"timestamp":"no","payload":[],"event_id":"no","more/":{"a":1},"source":""}`
	want := []string{"/extra", "/timestamp", "/payload", "/event_id", "/more~1", "/source", "/event_type"}

	_, err := native.Parse(broken, event.DefaultLimits())
	require.Equal(t, want, pointers(requireError(t, err)))

	_, err = native.ParseBatch(`[`+broken+`,`+with(`"payload":{}`)+`,null,{},`+broken+`]`, event.DefaultLimits())
	var all []string
	for _, p := range want {
		all = append(all, "/0"+p)
	}
	all = append(all, "/2", "/3/event_type", "/3/source", "/3/timestamp")
	for _, p := range want {
		all = append(all, "/4"+p)
	}
	require.Equal(t, all, pointers(requireError(t, err)))
}

func TestParse_StopsAtTheFirstSyntaxError(t *testing.T) {
	_, err := native.ParseBatch(`[{},{"x":1},{"payload":{"a":nope,"b":nope}}]`, event.DefaultLimits())
	rejection := requireError(t, err)
	require.Equal(t, []string{"/2/payload/a"}, pointers(rejection), "and what came before does not count")
	require.Zero(t, rejection.More)
}

func TestParse_ReportsPositionOfSyntaxErrors(t *testing.T) {
	for _, test := range []struct{ body, detail string }{
		{"{\n  \"événement\": 1,\n  \"é\": nope\n}", "expected null, found 'o', at byte 31 (line 3, column 9)"},
		{`{"a":01}`, "a number must not start with a needless zero, at byte 5 (line 1, column 6)"},
		{"\xff", "expected a value, found byte 0xff, at byte 0 (line 1, column 1)"},
		{"\n\n", "the body is empty, at byte 2 (line 3, column 1)"},
	} {
		_, err := native.Parse(test.body, event.DefaultLimits())
		require.Equal(t, test.detail, requireError(t, err).Problems[0].Detail)
	}
}

// TestParse_KeepsPointersShort makes sure that a rejection is not longer than a person
// can read, whatever the names in the body are.
func TestParse_KeepsPointersShort(t *testing.T) {
	long := strings.Repeat("/", 300)
	_, err := native.Parse(with(`"payload":{"`+long+`":{"`+long+`":[nope]}}`), event.DefaultLimits())
	require.Equal(t, []string{"/payload/" + strings.Repeat("~1", 300)}, pointers(requireError(t, err)))
}

func TestParse_MintsIDs(t *testing.T) {
	body := "[" + strings.Repeat("{"+goodHead+"},", 999) + "{" + goodHead + "}]"
	before := time.Now().UnixMilli()
	events, err := native.ParseBatch(body, event.DefaultLimits())
	after := time.Now().UnixMilli()
	require.NoError(t, err)

	seen := make(map[uuid.UUID]bool)
	for i, e := range events {
		require.Equal(t, uuid.Version(7), e.ID.Version())
		require.Equal(t, uuid.RFC4122, e.ID.Variant())
		require.False(t, seen[e.ID])
		seen[e.ID] = true

		text := e.ID.String()
		milli, err := strconv.ParseInt(text[:8]+text[9:13], 16, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, milli, before)
		require.LessOrEqual(t, milli, after)
		if i > 0 {
			require.LessOrEqual(t, events[i-1].ID.String()[:18], text[:18], "ids sort by age")
		}
	}
}

func TestParseBatch_KeepsTheOrder(t *testing.T) {
	var body strings.Builder
	for i := range 300 {
		fmt.Fprintf(&body, `,{"event_type":"t%d","source":"s","timestamp":"%s","payload":{"i":%d}}`, i, goodTime, i)
	}
	events, err := native.ParseBatch("["+body.String()[1:]+"]", event.DefaultLimits())
	require.NoError(t, err)
	require.Len(t, events, 300)
	for i, e := range events {
		require.Equal(t, fmt.Sprintf("t%d", i), e.Type)
		require.Equal(t, fmt.Sprintf(`{"i":%d}`, i), e.Payload)
	}
}

func TestParse_AllocatesAtMostOnce(t *testing.T) {
	limits := event.DefaultLimits()
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if _, err := native.Parse(small, limits); err != nil {
			t.Error(err)
		}
	}), 1.0)
}

// TestParse_ReturnsNoTypedNil guards against a typed nil.
func TestParse_ReturnsNoTypedNil(t *testing.T) {
	_, err := native.Parse(small, event.DefaultLimits())
	require.True(t, err == nil)
	_, err = native.ParseBatch("["+small+"]", event.DefaultLimits())
	require.True(t, err == nil)
	_, err = native.Parse("", event.DefaultLimits())
	require.Equal(t, event.KindInvalid, event.KindOf(errors.Join(err)))
}
