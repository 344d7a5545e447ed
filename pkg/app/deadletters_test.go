package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func sampleEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.Must(uuid.NewV7()), Type: "t", Source: "s", Timestamp: time.Now().UTC().Truncate(time.Microsecond), Payload: "{}", Metadata: "{}",
		}
	}
	return events
}

var buriedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// letterAt returns the nth letter, buried n minutes after buriedAt.
func letterAt(n int, change ...string) stream.DeadLetter {
	at := buriedAt.Add(time.Duration(n) * time.Minute)
	l := stream.DeadLetter{ID: fmt.Sprintf("%d-0", at.UnixMilli()), FirstSeen: at.Add(-time.Hour), DeadLetteredAt: at, Deliveries: 2}
	l.EntryID, l.Reason, l.Code, l.Message = fmt.Sprintf("%d-7", l.FirstSeen.UnixMilli()), event.ReasonRejected, "22P05", "it cannot be stored"
	l.Fields = sampleEvents(1)[0].AppendFields(nil)
	for i := 0; i < len(change); i += 2 {
		for j := 0; j < len(l.Fields); j += 2 {
			if l.Fields[j] == change[i] {
				l.Fields[j+1] = change[i+1]
			}
		}
	}
	return l
}

// fakeBox keeps letters in memory, and what went back on the stream. It fails
// as it is told, before taking effect or after.
type fakeBox struct {
	letters      []stream.DeadLetter
	back         []stream.DeadLetter
	groups       int
	pages        int
	cannot       string // the id of a letter that cannot be put back
	failing      error
	takingEffect bool
	rebury       bool // what goes back is buried again at once
}

func (b *fakeBox) DeadLetterRange(context.Context) (int64, string, error) {
	last := ""
	if n := len(b.letters); n > 0 {
		last = b.letters[n-1].ID
	}
	return int64(len(b.letters)), last, nil
}

func (b *fakeBox) DeadLetters(_ context.Context, after string, limit int) ([]stream.DeadLetter, error) {
	b.pages++
	var page []stream.DeadLetter
	for _, l := range b.letters {
		if (after == "" || stream.CompareIDs(after, l.ID) < 0) && len(page) < limit {
			page = append(page, l)
		}
	}
	return page, nil
}

func (b *fakeBox) DeadLetterByID(_ context.Context, id string) (stream.DeadLetter, bool, error) {
	for _, l := range b.letters {
		if l.ID == id {
			return l, true, nil
		}
	}
	return stream.DeadLetter{}, false, nil
}

func (b *fakeBox) take(id string) bool {
	for i, l := range b.letters {
		if l.ID == id {
			b.letters = append(b.letters[:i:i], b.letters[i+1:]...)
			return true
		}
	}
	return false
}

func (b *fakeBox) RemoveDeadLetters(_ context.Context, ids []string) (n int64, err error) {
	if b.failing != nil && !b.takingEffect {
		return 0, b.failing
	}
	for _, id := range ids {
		if b.take(id) {
			n++
		}
	}
	return n, b.failing
}

func (b *fakeBox) Republish(_ context.Context, letters ...stream.DeadLetter) (n int64, err error) {
	for _, l := range letters {
		if l.ID == b.cannot {
			return 0, &event.Error{Kind: event.KindInvalid, Detail: "cannot be put back"}
		}
	}
	if b.failing != nil && !b.takingEffect {
		return 0, b.failing
	}
	for _, l := range letters {
		if b.take(l.ID) {
			b.back = append(b.back, l)
			if b.rebury {
				again := letterAt(1000 + len(b.back))
				again.Fields = l.Fields
				b.letters = append(b.letters, again)
			}
			n++
		}
	}
	return n, b.failing
}

func (b *fakeBox) EnsureGroup(context.Context) error { b.groups++; return nil }

func lettersOf(b *fakeBox) *DeadLetters {
	return &DeadLetters{
		box: b, limits: event.DefaultLimits(), close: func() {},
		now: func() time.Time { return buriedAt.Add(24 * time.Hour) },
	}
}

func idsOf(letters []stream.DeadLetter) (ids []string) {
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	return ids
}

func TestEachSelects(t *testing.T) {
	box := &fakeBox{}
	for n := range 250 {
		box.letters = append(box.letters, letterAt(n))
	}
	box.letters[7] = letterAt(7, event.FieldType, "sign_up")
	box.letters[8] = letterAt(8, event.FieldSource, "web")
	box.letters[120].Reason, box.letters[120].Code = event.ReasonUnreadable, ""
	box.letters[249] = letterAt(249, event.FieldType, "sign_up", event.FieldSource, "web")
	for _, tt := range []struct {
		name  string
		s     Selection
		from  int
		count int
		pages int
	}{
		{"all", Selection{}, 0, 250, 4},
		{"limit", Selection{Limit: 3}, 0, 3, 1},
		{"limit of a page", Selection{Limit: 100}, 0, 100, 2},
		{"type", Selection{Type: "sign_up"}, 7, 2, 4},
		{"source", Selection{Source: "web"}, 8, 2, 4},
		{"both", Selection{Type: "sign_up", Source: "web"}, 249, 1, 4},
		{"reason", Selection{Reason: event.ReasonUnreadable}, 120, 1, 4},
		{"code", Selection{Reason: "22P05", Limit: 5}, 0, 5, 1},
		{"newer", Selection{NewerThan: 24*time.Hour - 100*time.Minute - time.Second}, 101, 149, 3},
		{"older", Selection{OlderThan: 24*time.Hour - 10*time.Minute}, 0, 10, 1},
		{"between", Selection{NewerThan: 24*time.Hour - 10*time.Minute + time.Second, OlderThan: 24*time.Hour - 20*time.Minute}, 10, 10, 1},
		{"id", Selection{IDs: []string{box.letters[5].ID}}, 5, 1, 0},
		{"nothing", Selection{Type: "none"}, 0, 0, 4},
	} {
		box.pages = 0
		var got []stream.DeadLetter
		var looked, total int64
		err := lettersOf(box).Each(t.Context(), tt.s, func(l, n int64) { looked, total = l, n }, func(page []stream.DeadLetter) error {
			require.LessOrEqual(t, len(page), letterPage)
			got = append(got, page...)
			return nil
		})
		require.NoError(t, err, tt.name)
		require.Len(t, got, tt.count, tt.name)
		if tt.count > 0 {
			require.Equal(t, box.letters[tt.from].ID, got[0].ID, tt.name)
		}
		require.Equal(t, tt.pages, box.pages, tt.name)
		require.LessOrEqual(t, looked, total, tt.name)
	}
	require.True(t, Selection{Limit: 3}.All())
	require.False(t, Selection{Type: "x"}.All())
}

func TestGetNamesWhatIsNotThere(t *testing.T) {
	_, err := lettersOf(&fakeBox{}).Get(t.Context(), "1-1")
	require.ErrorContains(t, err, `"1-1"`)
	_, err = lettersOf(&fakeBox{}).Replay(t.Context(), Selection{IDs: []string{"1-1"}}, false, nil)
	require.ErrorContains(t, err, `"1-1"`)
	_, err = lettersOf(&fakeBox{}).Purge(t.Context(), Selection{IDs: []string{"1-1"}}, false, nil)
	require.ErrorContains(t, err, `"1-1"`)
	_, err = lettersOf(&fakeBox{}).Mend(t.Context(), "1-1", nil, false)
	require.ErrorContains(t, err, `"1-1"`)
}

func TestReplayPutsEventsBackAndLeavesTheRest(t *testing.T) {
	box := &fakeBox{}
	for n := range 230 {
		box.letters = append(box.letters, letterAt(n))
	}
	box.letters[3] = letterAt(3, event.FieldID, "42")
	box.cannot = box.letters[105].ID
	left := []string{box.letters[3].ID, box.letters[105].ID}
	d := lettersOf(box)

	r, err := d.Replay(t.Context(), Selection{}, true, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{DryRun: true, Matched: 230, Replayed: 229, Unreadable: 1}, r)
	require.Empty(t, box.back)
	require.Zero(t, box.groups)

	r, err = d.Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 230, Replayed: 228, Unreadable: 2}, r)
	require.Equal(t, left, idsOf(box.letters))
	require.Equal(t, 1, box.groups)

	r, err = d.Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 2, Unreadable: 2}, r)
}

func TestReplayMeetsNothingTwice(t *testing.T) {
	box := &fakeBox{rebury: true}
	for n := range 150 {
		box.letters = append(box.letters, letterAt(n))
	}
	r, err := lettersOf(box).Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.EqualValues(t, 150, r.Replayed)
	require.Len(t, box.back, 150)
	require.Len(t, box.letters, 150)
}

func TestReplayAndPurgeCanBeDoneAgainAfterAnError(t *testing.T) {
	gone := errors.New("gone")
	for _, takingEffect := range []bool{false, true} {
		box := &fakeBox{failing: gone, takingEffect: takingEffect}
		for n := range 10 {
			box.letters = append(box.letters, letterAt(n))
		}
		d := lettersOf(box)
		_, err := d.Replay(t.Context(), Selection{Limit: 5}, false, nil)
		require.ErrorIs(t, err, gone)
		_, err = d.Purge(t.Context(), Selection{Limit: 5}, false, nil)
		require.ErrorIs(t, err, gone)
		box.failing = nil
		_, err = d.Replay(t.Context(), Selection{}, false, nil)
		require.NoError(t, err)
		require.Empty(t, box.letters)
		require.Len(t, box.back, map[bool]int{false: 10, true: 5}[takingEffect])
	}
}

func TestPurgeRemovesWhatIsSelected(t *testing.T) {
	box := &fakeBox{}
	for n := range 120 {
		box.letters = append(box.letters, letterAt(n))
	}
	d := lettersOf(box)
	p, err := d.Purge(t.Context(), Selection{OlderThan: 24*time.Hour - 110*time.Minute}, true, nil)
	require.NoError(t, err)
	require.Equal(t, Purged{DryRun: true, Matched: 110, Removed: 110}, p)
	require.Len(t, box.letters, 120)
	p, err = d.Purge(t.Context(), Selection{OlderThan: 24*time.Hour - 110*time.Minute}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Purged{Matched: 110, Removed: 110}, p)
	require.Len(t, box.letters, 10)
}

func TestMend(t *testing.T) {
	const id = "9e107d9d-372b-4d6c-8a3e-5b1f0a2c3d4e"
	for _, tt := range []struct {
		name   string
		fields []string // changes of a good event
		set    []string
		errs   []string // what the error says; none when it is mended
		wants  []string // name and value of a field as it goes back
	}{
		{"id", []string{event.FieldID, "42"}, []string{"event_id=" + id}, nil, []string{event.FieldID, id}},
		{"time", []string{event.FieldTimestamp, "yesterday"}, []string{"timestamp=2026-01-02T05:04:05+02:00"}, nil, []string{event.FieldTimestamp, "2026-01-02T03:04:05Z"}},
		{"payload", []string{event.FieldPayload, `{"a":`}, []string{`payload={"a":1e400, "b":"x=y"}`}, nil, []string{event.FieldPayload, `{"a":1e400, "b":"x=y"}`}},
		{"type with quotes", nil, []string{`event_type="<\` + "\u2028é"}, nil, []string{event.FieldType, `"<\` + "\u2028é"}},
		{"the last one counts", nil, []string{"source=a", "source=b"}, nil, []string{event.FieldSource, "b"}},
		{"still no id", []string{event.FieldID, "42"}, []string{"source=b"}, []string{"nothing was changed", "event_id: "}, nil},
		{"still a NUL", []string{event.FieldPayload, `{"a":"\u0000"}`}, []string{"source=b"}, []string{"payload/a: "}, nil},
		{"no object", nil, []string{"payload=[]"}, []string{"payload: must be a JSON object"}, nil},
		{"all that is wrong", nil, []string{"payload=[]", "event_type="}, []string{"payload: ", "event_type: "}, nil},
		{"out of its place", nil, []string{`payload={},"x":{}`}, []string{"payload: expected nothing after the object"}, nil},
		{"over its sibling", nil, []string{`payload={},"source":"x"`}, []string{"payload: expected nothing after the object"}, nil},
		{"twice a name", nil, []string{`metadata={"a":1,"a":2}`}, []string{"metadata"}, nil},
		{"no text", nil, []string{"source=\xff"}, []string{"source: must be valid UTF-8"}, nil},
		{"too large", nil, []string{`payload={"a":"` + strings.Repeat("x", 300<<10) + `"}`}, []string{"262144"}, nil},
	} {
		box := &fakeBox{letters: []stream.DeadLetter{letterAt(1, tt.fields...), letterAt(2)}}
		box.letters[0].Fields = append(box.letters[0].Fields, "trace", "abc")
		d := lettersOf(box)
		var changes []Change
		for _, text := range tt.set {
			c, err := ParseChange(text)
			require.NoError(t, err, tt.name)
			changes = append(changes, c)
		}
		_, dryErr := d.Mend(t.Context(), box.letters[0].ID, changes, true)
		require.Len(t, box.letters, 2, tt.name)
		r, err := d.Mend(t.Context(), box.letters[0].ID, changes, false)
		if len(tt.errs) > 0 {
			for _, says := range tt.errs {
				require.ErrorContains(t, err, says, tt.name)
				require.ErrorContains(t, dryErr, says, tt.name)
			}
			require.Zero(t, r.Replayed, tt.name)
			require.Len(t, box.letters, 2, tt.name)
			require.Zero(t, box.groups)
			continue
		}
		require.NoError(t, err, tt.name)
		require.NoError(t, dryErr, tt.name)
		require.Equal(t, Replayed{Matched: 1, Replayed: 1}, r, tt.name)
		require.Len(t, box.letters, 1, tt.name)
		require.Equal(t, tt.wants[1], fieldOf(box.back[0], tt.wants[0]), tt.name)
		require.Equal(t, "abc", fieldOf(box.back[0], "trace"), tt.name)
	}
}

func TestMendWhatIsHardlyAnEvent(t *testing.T) {
	all := []Change{
		{event.FieldID, "9e107d9d-372b-4d6c-8a3e-5b1f0a2c3d4e"},
		{event.FieldType, "t"}, {event.FieldSource, "s"}, {event.FieldTimestamp, "2026-01-02T03:04:05Z"},
	}
	for _, fields := range [][]string{nil, {"odd"}, {"event_type", "a", "event_type", "b", "hello", "world"}} {
		got, err := mended(fields, all, event.DefaultLimits())
		require.NoError(t, err)
		e, err := event.FromFields(got)
		require.NoError(t, err)
		require.Equal(t, "t", e.Type)
		require.Equal(t, "{}", e.Payload)
	}
}

func TestParseChangeRefusesOtherFields(t *testing.T) {
	for _, text := range []string{"", "source", "=x", "dlq_reason=x", "Source=x"} {
		_, err := ParseChange(text)
		require.ErrorContains(t, err, "event_id, event_type, source", text)
	}
}

func TestLettersAreShownWithoutHarm(t *testing.T) {
	l := letterAt(1, event.FieldPayload, `{"big":123456789012345678901234567890,"evil":"`+"\u009b31m\u202e\U000e0001"+`"}`,
		event.FieldSource, "\x1b[31mred", event.FieldType, strings.Repeat("x", 5000))
	l.Fields = append(l.Fields, "raw", "\xff\xfe", "odd")
	var text bytes.Buffer
	require.NoError(t, WriteLetterText(&text, l))
	for _, says := range []string{
		l.ID, "rejected 22P05", l.Message, "2026-03-01T12:01:00Z", "deliveries    2", l.EntryID, `"\x1b[31mred"`,
		"\"big\": 123456789012345678901234567890,\n", `"evil": "\u009b31m\u202e\udb40\udc01"`, `"\xff\xfe"`, "(no value)",
	} {
		require.Contains(t, text.String(), says)
	}
	require.NotContains(t, text.String(), "\x1b")

	var out bytes.Buffer
	require.NoError(t, WriteLetterJSON(&out, l))
	var read struct {
		ID     string `json:"id"`
		Fields []struct{ Name, Value, Base64 string }
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Equal(t, l.ID, read.ID)
	require.Equal(t, fieldOf(l, event.FieldPayload), read.Fields[4].Value)
	require.Equal(t, "//4=", read.Fields[6].Base64)
	require.Equal(t, "odd", read.Fields[7].Name)

	out.Reset()
	require.NoError(t, WriteLetterLines(&out, []stream.DeadLetter{l, {ID: "5-0"}}))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2)
	require.NotContains(t, lines[0], "evil")
	require.Less(t, len(lines[0]), 1500)
	require.Contains(t, lines[1], `"buried_at":null`)

	out.Reset()
	require.NoError(t, WriteLetterTable(&out, []stream.DeadLetter{l, {ID: "5-0"}}, true))
	require.NotContains(t, out.String(), "\x1b")
	require.NotContains(t, out.String(), "evil")
	require.Contains(t, out.String(), "xxx…")
	require.Equal(t, 3, strings.Count(out.String(), "\n"))
}

func TestDeadLettersOnRedis(t *testing.T) {
	redis := servers.Redis(t)
	cfg := config.Default(config.DeadLetters)
	cfg.Redis.URL = redis.URL()
	d, err := OpenDeadLetters(cfg, quiet())
	require.NoError(t, err)
	defer d.Close()
	client, err := stream.New(cfg.Redis, cfg.Stream, quiet(), nil)
	require.NoError(t, err)
	defer client.Close()

	// Nothing there yet.
	r, err := d.Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Zero(t, r)
	p, err := d.Purge(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Zero(t, p)

	require.NoError(t, client.Publish(t.Context(), sampleEvents(250)))
	got, err := client.Read(t.Context(), "w", 250, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 250)
	var dead []event.Rejection
	for i, delivery := range got {
		reason := event.ReasonRejected
		if i%5 == 0 {
			reason = event.ReasonUnreadable
			delivery.Fields = []string{"hello", "world"}
		}
		dead = append(dead, event.Rejection{Delivery: delivery, Reason: reason})
	}
	require.NoError(t, client.DeadLetter(t.Context(), dead))

	r, err = d.Replay(t.Context(), Selection{Reason: event.ReasonRejected, Limit: 20}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 20, Replayed: 20}, r)
	r, err = d.Replay(t.Context(), Selection{NewerThan: time.Hour}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 230, Replayed: 180, Unreadable: 50}, r)
	again, err := client.Read(t.Context(), "w", 1000, time.Second)
	require.NoError(t, err)
	require.Len(t, again, 200)

	p, err = d.Purge(t.Context(), Selection{OlderThan: time.Hour}, false, nil)
	require.NoError(t, err)
	require.Zero(t, p.Removed)
	p, err = d.Purge(t.Context(), Selection{Reason: event.ReasonUnreadable}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Purged{Matched: 50, Removed: 50}, p)
	n, _, err := client.DeadLetterRange(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}
