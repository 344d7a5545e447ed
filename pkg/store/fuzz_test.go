package store_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

// FuzzStoredEqualsSent checks the promise that spans the packages: whatever
// native.Parse accepts, PostgreSQL stores and gives back equal, after the
// stream as before it.
func FuzzStoredEqualsSent(f *testing.F) {
	random := rand.NewChaCha8([32]byte{})
	for range 100 {
		choices := make([]byte, 400)
		_, _ = random.Read(choices)
		f.Add(choices)
	}
	url := servers.Database(f)
	migrated(f, url)
	stores := both(f, url)
	f.Fuzz(func(t *testing.T, choices []byte) { requireStoredEqualsSent(t, stores, generate(choices)) })
}

// FuzzTextStoredEqualsSent is the same for the text itself, whose mutations
// are seldom events and then of a kind that nobody thought to generate.
func FuzzTextStoredEqualsSent(f *testing.F) {
	const at = "2026-03-01T12:30:00.123456789+05:30"
	for _, object := range hardObjects() {
		if len(object) < 4096 {
			f.Add("t", "s", at, object, `{"a":1.50e-3}`)
		}
	}
	for _, timestamp := range []string{
		"0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "0000-02-29T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59",
		"2016-12-31T23:59:60Z", "2016-12-31t23:59:59z", "2026-03-01T24:00:00Z", "2026-02-29T00:00:00Z", "2024-02-29T23:59:59.5-00:00",
	} {
		f.Add("t", "s", timestamp, "{}", "{}")
	}
	f.Add(`?0\\'`, `\ud83d\ude00'\u2028`, at, `{"a":0e1000,"b":-0.0e-1000,"c":1e1000,"d":1E-1000}`, "{}")
	f.Add("t", "s", at, "{}", `{},"event_id":"00000000-0000-0000-0000-000000000000"`)

	url := servers.Database(f)
	migrated(f, url)
	stores := both(f, url)
	f.Fuzz(func(t *testing.T, eventType, source, timestamp, payload, metadata string) {
		requireStoredEqualsSent(t, stores, `{"event_type":"`+eventType+`","source":"`+source+`","timestamp":"`+timestamp+
			`","payload":`+payload+`,"metadata":`+metadata+`}`)
	})
}

func requireStoredEqualsSent(t *testing.T, stores []*store.Store, body string) {
	t.Helper()
	sent, err := native.Parse(body, event.DefaultLimits())
	if err != nil {
		return
	}
	requireReadRight(t, body, sent)
	travelled, err := event.FromFields(sent.AppendFields(nil))
	require.NoError(t, err)
	require.Equal(t, sent, travelled, "what goes onto the stream comes off it")

	for _, s := range stores {
		sent.ID = uuid.New() // mutations keep the id of what they were made from
		require.Empty(t, insert(t, s, sent))
		stored, err := s.Find(t.Context(), []uuid.UUID{sent.ID})
		require.NoError(t, err)
		require.Len(t, stored, 1)
		requireSame(t, sent, stored[0])
	}
}

// requireReadRight reads the body a second time, by other means.
func requireReadRight(t *testing.T, body string, e event.Event) {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &members))
	text := func(name string) (s string) {
		require.NoError(t, json.Unmarshal(members[name], &s))
		return s
	}
	require.Equal(t, text("event_type"), e.Type)
	require.Equal(t, text("source"), e.Source)
	if at, err := time.Parse(time.RFC3339Nano, text("timestamp")); err == nil {
		require.Equal(t, at.UTC().Truncate(time.Microsecond), e.Timestamp)
	}
	for name, got := range map[string]string{"payload": e.Payload, "metadata": e.Metadata} {
		want := "{}"
		if raw, ok := members[name]; ok {
			want = string(raw)
		}
		requireSameJSON(t, want, got)
	}
	if raw, ok := members["event_id"]; ok && string(raw) != "null" {
		id, err := uuid.Parse(text("event_id"))
		require.NoError(t, err)
		require.Equal(t, id, e.ID)
	}
}
