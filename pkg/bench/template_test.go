package bench

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestTemplate_MakesValidEventsKnownByTheirID(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 123456789, time.UTC)
	for _, size := range []int{newTemplate("0123abcd", 0).size(), 230, 300, 5000} {
		f := newTemplate("0123abcd", size)
		require.Equal(t, size, f.size())
		for range 200 {
			id := newID(now, rand.Uint64())
			require.Equal(t, uuid.Version(7), id.Version())
			require.Equal(t, uuid.RFC4122, id.Variant())
			text := append([]byte(nil), f.text...)
			f.fill(text, id)
			require.Len(t, text, size)

			e, err := native.Parse(string(text), event.DefaultLimits())
			require.NoError(t, err, string(text))
			require.Equal(t, id, e.ID)
			require.Equal(t, "page_view", e.Type)
			require.Equal(t, "bench-0123abcd", e.Source)
			require.Equal(t, now.Truncate(time.Microsecond), e.Timestamp)
			same, _ := f.same(e, nil)
			require.True(t, same)

			// However a database spaces and orders it.
			var members map[string]any
			require.NoError(t, json.Unmarshal([]byte(e.Payload), &members))
			spaced, err := json.MarshalIndent(members, "", " ")
			require.NoError(t, err)
			e.Payload, e.Metadata = string(spaced), " { }"
			same, _ = f.same(e, nil)
			require.True(t, same)
		}
	}
}

func TestTemplate_SeesEveryAlteration(t *testing.T) {
	f := newTemplate("0123abcd", 230)
	id := newID(time.Now(), 4711)
	text := append([]byte(nil), f.text...)
	f.fill(text, id)
	sent, err := native.Parse(string(text), event.DefaultLimits())
	require.NoError(t, err)
	for name, alter := range map[string]func(*event.Event){
		"type":      func(e *event.Event) { e.Type += "s" },
		"source":    func(e *event.Event) { e.Source = "bench-0123abce" },
		"timestamp": func(e *event.Event) { e.Timestamp = e.Timestamp.Add(time.Microsecond) },
		"payload":   func(e *event.Event) { e.Payload = `{"ms":1}` },
		"no JSON":   func(e *event.Event) { e.Payload = "" },
		"metadata":  func(e *event.Event) { e.Metadata = `{"a":1}` },
		"id":        func(e *event.Event) { e.ID[15]++; e.ID[10]++ },
	} {
		altered := sent
		alter(&altered)
		same, _ := f.same(altered, nil)
		require.False(t, same, name)
	}
}

func TestNewID_FollowsTime(t *testing.T) {
	at := time.Now()
	before := newID(at, ^uint64(0))
	for range 3000 {
		at = at.Add(time.Microsecond)
		after := newID(at, 0)
		require.Negative(t, bytes.Compare(before[:], after[:]))
		require.Equal(t, at.UnixMicro(), instant(after).UnixMicro())
		before = newID(at, ^uint64(0))
	}
}

func TestEventBytesOf_MakesPayloadsOfThatSize(t *testing.T) {
	for _, size := range []int{200, 1 << 10, 64 << 10} {
		f := newTemplate(newRunID(), EventBytesOf(size))
		require.Equal(t, size, f.payloadEnd-f.payload)
	}
	f := newTemplate(newRunID(), EventBytesOf(1))
	require.Greater(t, f.payloadEnd-f.payload, 1)
}
