package cmd

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/deadletter"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

func TestDeadLetter_RenderedWithoutControlCharacters(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
	l := stream.DeadLetter{ID: "1772366460000-0", FirstSeen: at.Add(-time.Hour), DeadLetteredAt: at, Deliveries: 2}
	l.EntryID, l.Reason, l.Code, l.Message, l.Group = "1772362860000-7", event.ReasonRejected, "22P05", "it cannot be stored", "event_persister"
	l.Fields = []string{
		event.FieldID, "0198f0c2-7a51-7cc3-98c2-4e1f9a2b3c4d", event.FieldType, strings.Repeat("x", 5000), event.FieldSource, "\x1b[31mred",
		event.FieldTimestamp, "2026-01-02T03:04:05Z", event.FieldPayload, `{"big":123456789012345678901234567890,"evil":"` + "\u009b31m\u202e\U000e0001" + `"}`,
		event.FieldMetadata, "{}",
	}
	l.Fields = append(l.Fields, "raw", "\xff\xfe", "odd")
	var text bytes.Buffer
	require.NoError(t, writeDeadLetter(&text, l))
	for _, says := range []string{
		l.ID, "rejected 22P05", l.Message, "2026-03-01T12:01:00Z", "deliveries    2", "group         event_persister", l.EntryID, `"\x1b[31mred"`,
		"\"big\": 123456789012345678901234567890,\n", `"evil": "\u009b31m\u202e\udb40\udc01"`, `"\xff\xfe"`, "(no value)",
	} {
		require.Contains(t, text.String(), says)
	}
	require.NotContains(t, text.String(), "\x1b")

	var out bytes.Buffer
	require.NoError(t, writeDeadLetterJSON(&out, l))
	var read struct {
		ID     string `json:"id"`
		Fields []struct{ Name, Value, Base64 string }
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Equal(t, l.ID, read.ID)
	require.Equal(t, deadletter.Field(l, event.FieldPayload), read.Fields[4].Value)
	require.Equal(t, "//4=", read.Fields[6].Base64)
	require.Equal(t, "odd", read.Fields[7].Name)

	out.Reset()
	require.NoError(t, writeDeadLetterLines(&out, []stream.DeadLetter{l, {ID: "5-0"}}))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2)
	require.NotContains(t, lines[0], "evil")
	require.Less(t, len(lines[0]), 1500)
	require.Contains(t, lines[0], `"group":"event_persister"`)
	require.Contains(t, lines[1], `"dead_lettered_at":null`)

	out.Reset()
	require.NoError(t, writeDeadLetterTable(&out, []stream.DeadLetter{l, {ID: "5-0"}}, true))
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "evil")
	require.Contains(t, out.String(), "xxx…")
	require.Equal(t, 3, strings.Count(out.String(), "\n"))
}
