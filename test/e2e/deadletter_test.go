package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
)

// poison are entries that somebody put straight on the stream, none of which
// can be stored, by the reason with which they must be buried.
func poison() map[string][]string {
	entry := func(change ...string) []string {
		fields := []string{
			"event_id", uuid.NewString(), "event_type", "t", "source", "s",
			"timestamp", "2026-01-02T03:04:05Z", "payload", "{}", "metadata", "{}",
		}
		for i := 0; i+1 < len(change); i += 2 {
			for j := 0; j < len(fields); j += 2 {
				if fields[j] == change[i] {
					fields[j+1] = change[i+1]
				}
			}
		}
		return fields
	}
	return map[string][]string{
		"unreadable: no fields of ours":  {"hello", "world"},
		"unreadable: no UUID":            entry("event_id", "42"),
		"unreadable: no time":            entry("timestamp", "yesterday"),
		"unreadable: a type too long":    entry("event_type", strings.Repeat("x", 256)),
		"unreadable: payload no object":  entry("payload", "[]"),
		"refused 22P02: broken JSON":     entry("payload", `{"a":`),
		"refused 22P05: U+0000":          entry("payload", `{"a":"\u0000"}`),
		"refused 22003: number too wide": entry("metadata", `{"a":1e140000}`),
	}
}

func TestPoisonIsBuriedAloneAndTheRestIsStored(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)
	bad := poison()
	want := map[string]int{}
	good := generated()
	for _, line := range good[:150] {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	for why, fields := range bad {
		reason, _, _ := strings.Cut(why, ":")
		want[reason]++
		cmd := p.client.B().Xadd().Key("events_stream").Id("*").FieldValue()
		for i := 0; i < len(fields); i += 2 {
			cmd = cmd.FieldValue(fields[i], fields[i+1])
		}
		require.NoError(t, p.client.Do(t.Context(), cmd.Build()).Error())
	}
	for _, line := range good[150:] {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}

	p.work().ready(t)
	eventually(t, "every good one stored and nothing pending", func() bool {
		return p.count() == len(good) && p.unread() == 0 && p.pending() == 0
	})
	entries, err := p.client.Do(t.Context(), p.client.B().Xrange().Key("{events_stream}:dlq").Start("-").End("+").Build()).AsXRange()
	require.NoError(t, err)
	got := map[string]int{}
	for _, e := range entries {
		require.NotEmpty(t, e.FieldValues["dlq_message"])
		require.NotEmpty(t, e.FieldValues["dlq_first_seen"])
		got[strings.TrimSpace(e.FieldValues["dlq_reason"]+" "+e.FieldValues["dlq_code"])]++
	}
	require.Equal(t, want, got)
}

func TestAPeerTakesOverFromAWorkerThatIsGone(t *testing.T) {
	p := newPipeline(t)
	serve := p.serve().ready(t)
	sent := generated()[:50]
	for _, line := range sent {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	_, err := p.client.Do(t.Context(), p.client.B().Xreadgroup().Group("event_persister", "gone").Count(30).Streams().Key("events_stream").Id(">").Build()).ToAny()
	require.NoError(t, err)
	p.work(func(c *config.Config) {
		c.Worker.ClaimAfter, c.Worker.ConsumerExpiry = time.Second, 2*time.Second
	})
	eventually(t, "all stored", func() bool { return p.count() == len(sent) && p.pending() == 0 })
	eventually(t, "the dead consumer is removed", func() bool {
		consumers, err := p.client.Do(t.Context(), p.client.B().XinfoConsumers().Key("events_stream").Group("event_persister").Build()).ToArray()
		return err == nil && len(consumers) == 1
	})
}

func TestTheGroupComesBackAfterRedisForgotIt(t *testing.T) {
	p := newPipeline(t)
	serve, _ := p.serve().ready(t), p.work().ready(t)
	sent := generated()
	require.Equal(t, 202, serve.post(t, single, sent[0]).status)
	eventually(t, "stored", func() bool { return p.count() == 1 && p.pending() == 0 })
	require.NoError(t, p.client.Do(t.Context(), p.client.B().Flushall().Build()).Error())
	for _, line := range sent[1:] {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	eventually(t, "all stored without a restart", func() bool { return p.count() == len(sent) })
}

func TestTheStreamIsTrimmedBehindTheGroup(t *testing.T) {
	p := newPipeline(t)
	serve, _ := p.serve().ready(t), p.work(func(c *config.Config) { c.Worker.TrimInterval = 50 * time.Millisecond }).ready(t)
	for range 5 {
		require.Equal(t, 202, serve.post(t, batch, "["+strings.Join(generated(), ",")+"]").status)
	}
	eventually(t, "all dealt with and the stream short", func() bool { return p.unread() == 0 && p.pending() == 0 && p.streamLength() < 200 })
	require.Equal(t, len(generated()), p.count())
}

func TestADeadLetterIsMendedReplayedAndStored(t *testing.T) {
	p := newPipeline(t)
	p.serve().ready(t)
	p.work().ready(t)
	fields := poison()["refused 22P02: broken JSON"]
	cmd := p.client.B().Xadd().Key("events_stream").Id("*").FieldValue()
	for i := 0; i < len(fields); i += 2 {
		cmd = cmd.FieldValue(fields[i], fields[i+1])
	}
	require.NoError(t, p.client.Do(t.Context(), cmd.Build()).Error())

	letters := func() (ids []string) {
		entries, err := p.client.Do(t.Context(), p.client.B().Xrange().Key("{events_stream}:dlq").Start("-").End("+").Build()).AsXRange()
		require.NoError(t, err)
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		return ids
	}
	eventually(t, "it is buried", func() bool { return len(letters()) == 1 })

	dlq, err := app.OpenDeadLetters(p.config(config.DeadLetters), (&logBuffer{}).logger())
	require.NoError(t, err)
	defer dlq.Close()
	change, err := app.ParseChange(`payload={"mended":true}`)
	require.NoError(t, err)
	_, err = dlq.Mend(t.Context(), letters()[0], []app.Change{change}, false)
	require.NoError(t, err)
	eventually(t, "it is stored", func() bool { return p.count() == 1 && p.pending() == 0 })
	p.requireStored(sample{
		ID: fields[1], Type: "t", Source: "s", Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Payload: []byte(`{"mended":true}`),
	})
	require.Empty(t, letters())
}
