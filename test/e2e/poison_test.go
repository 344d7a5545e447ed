package e2e

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// poison is a kind of event that can never be stored: what the API says to it,
// and what becomes of an entry like it that somebody put straight on the stream.
type poison struct {
	name string

	// change is what is wrong with it: the fields of an entry that differ from
	// a good one's, names and values alternating; or all that it has.
	change []string
	alien  bool

	// status and pointer are what a producer is answered who posts it; "*" is
	// a pointer to anything within.
	status  int
	pointer string

	// reason and code are those of its dead letter.
	reason, code string
}

// poisons are the kinds of poison there are.
func poisons() []poison {
	const unreadable, refused = "unreadable", "rejected"
	deep := `{"a":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + "}"
	return []poison{
		{name: "no fields of ours", change: []string{"hello", "world"}, alien: true, status: 400, pointer: "/hello", reason: unreadable},
		{name: "no UUID", change: []string{"event_id", "42"}, status: 400, pointer: "/event_id", reason: unreadable},
		{name: "no time", change: []string{"timestamp", "yesterday"}, status: 400, pointer: "/timestamp", reason: unreadable},
		{name: "a type too long", change: []string{"event_type", strings.Repeat("é", 256)}, status: 400, pointer: "/event_type", reason: unreadable},
		{name: "no source", change: []string{"source", ""}, status: 400, pointer: "/source", reason: unreadable},
		{name: "U+0000 in the type", change: []string{"event_type", "a\x00"}, status: 400, pointer: "/event_type", reason: unreadable},
		{name: "payload no object", change: []string{"payload", "[]"}, status: 400, pointer: "/payload", reason: unreadable},
		{name: "broken JSON", change: []string{"payload", `{"a":}`}, status: 400, pointer: "/payload/a", reason: refused, code: "22P02"},
		{name: "a lone surrogate", change: []string{"payload", `{"a":"\ud800"}`}, status: 400, pointer: "/payload/a", reason: refused, code: "22P02"},
		{name: "U+0000 in the payload", change: []string{"payload", `{"a":"\u0000"}`}, status: 400, pointer: "/payload/a", reason: refused, code: "22P05"},
		{name: "a number too wide", change: []string{"metadata", `{"a":1e140000}`}, status: 400, pointer: "/metadata/a", reason: refused, code: "22003"},
		{name: "nested too deep", change: []string{"payload", deep}, status: 400, pointer: "*", reason: refused, code: "54001"},
	}
}

// entry returns the fields of such an entry on the stream.
func (k poison) entry(id uuid.UUID) []string {
	if k.alien {
		return k.change
	}
	fields := goodEntry(id, -1)
	for i := 0; i < len(k.change); i += 2 {
		for j := 0; j < len(fields); j += 2 {
			if fields[j] == k.change[i] {
				fields[j+1] = k.change[i+1]
			}
		}
	}
	return fields
}

// post returns the event as a producer would post it.
func (k poison) post(id uuid.UUID) string {
	return toJSON(k.entry(id))
}

// goodEntry returns the fields of an event that can be stored; n tells it from
// others.
func goodEntry(id uuid.UUID, n int) []string {
	return []string{
		"event_id", id.String(), "event_type", "t", "source", "s", "timestamp", "2026-01-02T03:04:05Z",
		"payload", fmt.Sprintf(`{"n":%d}`, n), "metadata", "{}",
	}
}

// toJSON writes the fields of an entry as the event that a producer posts.
func toJSON(fields []string) string {
	var members []string
	for i := 0; i < len(fields); i += 2 {
		value := fields[i+1]
		if name := fields[i]; name != "payload" && name != "metadata" {
			text, err := json.Marshal(value)
			if err != nil {
				panic(err)
			}
			value = string(text)
		}
		members = append(members, fmt.Sprintf("%q:%s", fields[i], value))
	}
	return "{" + strings.Join(members, ",") + "}"
}
