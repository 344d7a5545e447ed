package cmd

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

	"github.com/eventpulse/eventpulse/pkg/deadletter"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// longestShown bounds a field in a list, in characters: a valid one is never
// longer, but what is among the dead letters may be anything.
const longestShown = event.MaxNameLength

// deadLetterLine is a dead letter in a list, without payload and metadata.
type deadLetterLine struct {
	ID             string     `json:"id"`
	Reason         string     `json:"reason"`
	Code           string     `json:"code,omitempty"`
	Message        string     `json:"message"`
	Group          string     `json:"group"`
	EventID        string     `json:"event_id"`
	Type           string     `json:"event_type"`
	Source         string     `json:"source"`
	Timestamp      string     `json:"timestamp"`
	EntryID        string     `json:"entry_id"`
	FirstSeen      *time.Time `json:"first_seen"`
	DeadLetteredAt *time.Time `json:"dead_lettered_at"`
	Deliveries     int64      `json:"deliveries"`
	Bytes          int        `json:"bytes"`
}

func lineOf(l stream.DeadLetter) deadLetterLine {
	bytes := 0
	for _, f := range l.Fields {
		bytes += len(f)
	}
	short := func(name string) string { return shortened(deadletter.Field(l, name), longestShown) }
	return deadLetterLine{
		ID: l.ID, Reason: l.Reason, Code: l.Code, Message: l.Message, Group: l.Group,
		EventID: short(event.FieldID), Type: short(event.FieldType), Source: short(event.FieldSource), Timestamp: short(event.FieldTimestamp),
		EntryID: l.EntryID, FirstSeen: known(l.FirstSeen), DeadLetteredAt: known(l.DeadLetteredAt), Deliveries: l.Deliveries, Bytes: bytes,
	}
}

// known is nil for a time that is not recorded.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// writeDeadLetterLines writes a line of JSON for each dead letter, without
// payload and metadata.
func writeDeadLetterLines(w io.Writer, letters []stream.DeadLetter) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, l := range letters {
		if err := out.Encode(lineOf(l)); err != nil {
			return err
		}
	}
	return nil
}

// deadLetterColumns are the columns of the table, and their widths: the rows
// are written as they come, so nothing can wait for the widest.
const deadLetterColumns = "%-15s  %-20s  %-15s  %-15s  %-36s  %-24s  %-20s  %s\n"

// writeDeadLetterTable writes a row for each dead letter, without payload and
// metadata. The first call for a table writes its header.
func writeDeadLetterTable(w io.Writer, letters []stream.DeadLetter, header bool) error {
	var b bytes.Buffer
	if header {
		fmt.Fprintf(&b, deadLetterColumns, "ID", "DEAD-LETTERED", "GROUP", "REASON", "EVENT ID", "TYPE", "SOURCE", "WHY")
	}
	for _, letter := range letters {
		l := lineOf(letter)
		at := "-"
		if l.DeadLetteredAt != nil {
			at = l.DeadLetteredAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		cell := func(text string, width int) string {
			if text == "" {
				return "-"
			}
			return shortened(visible(text), width)
		}
		fmt.Fprintf(&b, deadLetterColumns, l.ID, at, cell(l.Group, 15), cell(strings.TrimSpace(l.Reason+" "+l.Code), 15),
			cell(l.EventID, 36), cell(l.Type, 24), cell(l.Source, 20), cell(l.Message, longestShown))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeDeadLetter writes all of a dead letter for a person, payload and
// metadata included.
func writeDeadLetter(w io.Writer, l stream.DeadLetter) error {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-13s %s\n", name, value) }
	text := func(name, value string) {
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
	text("id", l.ID)
	text("reason", strings.TrimSpace(l.Reason+" "+l.Code))
	text("message", l.Message)
	text("group", l.Group)
	line("first seen", at(l.FirstSeen))
	line("dead-lettered", at(l.DeadLetteredAt))
	line("deliveries", strconv.FormatInt(l.Deliveries, 10))
	text("stream entry", l.EntryID)
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

// writeDeadLetterJSON writes all of a dead letter as an object, payload and
// metadata included. Fields are a list because one of them may be there twice;
// a value that is not UTF-8 is in base64.
func writeDeadLetterJSON(w io.Writer, l stream.DeadLetter) error {
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
		deadLetterLine
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
