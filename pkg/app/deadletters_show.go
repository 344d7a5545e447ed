package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// longestShown bounds a field in a list, in characters: a valid one is never
// longer, but what is among the dead letters may be anything.
const longestShown = event.MaxNameLength

// letterLine is a dead letter in a list: everything but what the event holds.
type letterLine struct {
	ID             string     `json:"id"`
	Reason         string     `json:"reason"`
	Code           string     `json:"code,omitempty"`
	Message        string     `json:"message"`
	EventID        string     `json:"event_id"`
	Type           string     `json:"event_type"`
	Source         string     `json:"source"`
	Timestamp      string     `json:"timestamp"`
	EntryID        string     `json:"entry_id"`
	FirstSeen      *time.Time `json:"first_seen"`
	DeadLetteredAt *time.Time `json:"buried_at"`
	Deliveries     int64      `json:"deliveries"`
	Bytes          int        `json:"bytes"`
}

func lineOf(l stream.DeadLetter) letterLine {
	bytes := 0
	for _, f := range l.Fields {
		bytes += len(f)
	}
	short := func(name string) string { return shortened(fieldOf(l, name), longestShown) }
	return letterLine{
		ID: l.ID, Reason: l.Reason, Code: l.Code, Message: l.Message,
		EventID: short(event.FieldID), Type: short(event.FieldType), Source: short(event.FieldSource), Timestamp: short(event.FieldTimestamp),
		EntryID: l.EntryID, FirstSeen: known(l.FirstSeen), DeadLetteredAt: known(l.DeadLetteredAt), Deliveries: l.Deliveries, Bytes: bytes,
	}
}

// known is nil for the time that nobody wrote down.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// WriteLetterLines writes a line of JSON for each letter, without what the
// events hold.
func WriteLetterLines(w io.Writer, letters []stream.DeadLetter) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, l := range letters {
		if err := out.Encode(lineOf(l)); err != nil {
			return err
		}
	}
	return nil
}

// letterColumns are the columns of a table of letters, and their widths: the
// rows are written as they come, so nothing can wait for the widest.
const letterColumns = "%-15s  %-20s  %-15s  %-36s  %-24s  %-20s  %s\n"

// WriteLetterTable writes a row for each letter, without what the events hold.
// The first call for a table writes its head.
func WriteLetterTable(w io.Writer, letters []stream.DeadLetter, head bool) error {
	var b bytes.Buffer
	if head {
		fmt.Fprintf(&b, letterColumns, "ID", "BURIED", "REASON", "EVENT ID", "TYPE", "SOURCE", "WHY")
	}
	for _, letter := range letters {
		l := lineOf(letter)
		buried := "-"
		if l.DeadLetteredAt != nil {
			buried = l.DeadLetteredAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		cell := func(text string, width int) string {
			if text == "" {
				return "-"
			}
			return shortened(visible(text), width)
		}
		fmt.Fprintf(&b, letterColumns, l.ID, buried, cell(strings.TrimSpace(l.Reason+" "+l.Code), 15),
			cell(l.EventID, 36), cell(l.Type, 24), cell(l.Source, 20), cell(l.Message, longestShown))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteLetterText writes all of a letter for a person, what the event holds
// included.
func WriteLetterText(w io.Writer, l stream.DeadLetter) error {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-13s %s\n", name, value) }
	ours := func(name, value string) {
		if value == "" {
			value = "-"
		}
		line(name, visible(value))
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	ours("id", l.ID)
	ours("reason", strings.TrimSpace(l.Reason+" "+l.Code))
	ours("message", l.Message)
	line("first seen", at(l.FirstSeen))
	line("buried", at(l.DeadLetteredAt))
	line("deliveries", strconv.FormatInt(l.Deliveries, 10))
	ours("stream entry", l.EntryID)
	b.WriteByte('\n')
	for i, field := range l.Fields {
		switch {
		case i%2 == 1:
			continue
		case i+1 == len(l.Fields):
			line(visible(field), "(no value)")
		default:
			line(visible(field), pretty(l.Fields[i+1]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteLetterJSON writes all of a letter as an object, what the event holds
// included. Fields are a list because a letter may have one of them twice; a
// value that is no text is in base64.
func WriteLetterJSON(w io.Writer, l stream.DeadLetter) error {
	type field struct {
		Name   string  `json:"name"`
		Value  *string `json:"value,omitempty"`
		Base64 string  `json:"base64,omitempty"`
	}
	fields := []field{}
	for i := 0; i < len(l.Fields); i += 2 {
		f := field{Name: l.Fields[i]}
		if i+1 < len(l.Fields) {
			if value := l.Fields[i+1]; utf8.ValidString(value) {
				f.Value = &value
			} else {
				f.Base64 = base64.StdEncoding.EncodeToString([]byte(value))
			}
		}
		fields = append(fields, f)
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		letterLine
		Fields []field `json:"fields"`
	}{lineOf(l), fields})
}

// pretty lays a JSON object out over lines and leaves all else as visible has
// it. Numbers stay as they are written.
func pretty(value string) string {
	if !strings.HasPrefix(strings.TrimSpace(value), "{") {
		return visible(value)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(strings.TrimSpace(value)), "", "  "); err != nil || !utf8.Valid(b.Bytes()) {
		return visible(value)
	}
	return escaped(b.String())
}

// visible is text as it may be shown on a terminal: what could move its cursor
// or turn it about is quoted.
func visible(text string) string {
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unseen) || text != strings.TrimSpace(text) {
		return strconv.Quote(text)
	}
	return text
}

func unseen(r rune) bool { return !unicode.IsPrint(r) }

// escaped writes what is unseen in a JSON text, but its line breaks, as JSON
// escapes it.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || !unseen(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// shortened cuts text to so many characters, the last of them a sign that
// something is missing.
func shortened(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:most-1]) + "…"
}
