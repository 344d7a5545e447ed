package load

import "strings"

// What is easily lost, changed or misunderstood on the way through JSON, the
// Redis protocol, SQL and jsonb. All of it is valid and must arrive.

var eventTypes = []string{
	"page_view", "order.created", "page_view", "sign_up", "日本語のイベント", `it's "quoted"\`,
	" padded ", "'; DROP TABLE events; --", "?0 $1 %s {}", strings.Repeat("é", 255),
}

var sourceEnds = []string{"web", "ios", "web", "", "*3\r\n$4\r\nXADD\r\n", "😀", `\N`, "a\tb"}

var hardNames = []string{
	"", "name", " ", ".", "é", "😀", `\"`, `\\`, `\\u0000`, `\u00e9`, `\n`, "'", "$ref", "a.b[0]", "__proto__", "?0",
}

var hardValues = []string{
	`null`, `true`, `false`, `""`, `[]`, `{}`, `0`, `-0`, `-0.0`, `1`, `1.10`, `1E+2`, `1e-7`, `0.1`,
	`9007199254740993`, `18446744073709551616`, `-123456789012345678901234567890`,
	`0.1000000000000000055511151231257827021181583404541015625`, `5e-324`, `1.7976931348623157e308`, `1e400`, `3e-400`,
	`"\\u0000"`, `"\u0001"`, `"\u001f"`, `"\u00e9"`, `"é"`, `"e\u0301"`, `"\ud83d\ude00"`, `"😀👩‍👩‍👧"`, `"\u2028\u2029"`, `"` + "\u2028" + `"`,
	`"\uffff"`, `"\ufeff"`, `"\"\\\/\b\f\n\r\t"`, `"it's"`, `"''"`, `"?0"`, `"$1"`, `"%s%n"`, `"'; DROP TABLE events; --"`,
	`"*1\r\n$8\r\nFLUSHALL\r\n"`, `"COMMIT"`, `"\\N"`, `"{\"a\":1}"`, `"NaN"`, `"infinity"`,
	`[1,[2,[3,{"x":[null]}]]]`, `{"b":1,"a":2,"aa":3,"":4}`, `{"1":{"1":{"1":{"1":1}}}}`, `[0.10,1e2,100]`,
	strings.Repeat("[", 50) + strings.Repeat("]", 50),
	`"` + strings.Repeat("long ", 800) + `"`,
}

// breakages turn the JSON text of a valid event into an invalid one. The text
// ends in "}" and has no member called "broken".
var breakages = []func(body string) string{
	func(b string) string { return strings.Replace(b, `"event_type":`, `"event_typo":`, 1) },
	func(b string) string { return strings.Replace(b, `"timestamp":"`, `"timestamp":"yesterday `, 1) },
	func(b string) string {
		return strings.Replace(b, `"source":"`, `"source":"`+strings.Repeat("x", 256), 1)
	},
	func(b string) string { return strings.Replace(b, `"source":"`, `"source":"\u0000`, 1) },
	func(b string) string { return strings.Replace(b, `"source":"`, `"source":"\ud800`, 1) },
	func(b string) string { return strings.Replace(b, `"source":"`, "\"source\":\"\xff", 1) },
	func(b string) string { return with(b, `"event_type":"twice"`) },
	func(b string) string { return with(b, `"broken":1`) },
	func(b string) string { return with(b, `"payload":[]`) },
	func(b string) string { return with(b, `"metadata":"text"`) },
	func(b string) string { return with(b, `"event_id":"not-a-uuid"`) },
	func(b string) string { return b[:len(b)-1] },
	func(b string) string { return b + "{}" },
	func(b string) string {
		return strings.Replace(b, `"timestamp":`, `"payload":{"huge":1e999999},"timestamp":`, 1)
	},
	func(b string) string {
		return strings.Replace(b, `"timestamp":`, `"payload":{"\u0000":1},"timestamp":`, 1)
	},
}

// Break returns the body of an event made invalid in one of the ways: it must
// be refused with a 4xx, and all of its request with it.
func Break(body string, how int) string { return breakages[how%len(breakages)](body) }

func with(body, member string) string { return body[:len(body)-1] + "," + member + "}" }
