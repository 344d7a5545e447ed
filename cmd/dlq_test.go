package cmd

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

// deadLetters is a Redis with dead letters on it.
type deadLetters struct {
	t      *testing.T
	url    string
	group  *stream.Group
	events *stream.Producer
}

func newDeadLetters(t *testing.T) deadLetters {
	cfg := stream.DefaultRedisConfig()
	cfg.URL = servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always").URL()
	conn, err := stream.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	partition, err := conn.Partition(0, "events_stream", nil)
	require.NoError(t, err)
	group, err := stream.NewGroup(partition, "event_persister", "$")
	require.NoError(t, err)
	events, err := stream.NewProducer(partition, stream.DefaultConfig(), group)
	require.NoError(t, err)
	t.Cleanup(events.Close)
	require.NoError(t, events.Prepare(t.Context()))
	return deadLetters{t, cfg.URL, group, events}
}

// add dead-letters n events.
func (l deadLetters) add(n int, change func(*event.Event, *event.Rejection)) {
	l.t.Helper()
	events, rejections := make([]event.Event, n), make([]event.Rejection, n)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.Must(uuid.NewV7()), Type: "order.placed", Source: "shop",
			Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Payload: `{"secret":"4711"}`, Metadata: "{}",
		}
		change(&events[i], &rejections[i])
	}
	require.NoError(l.t, l.events.Publish(l.t.Context(), events))
	got, err := l.group.Read(l.t.Context(), "w", n, time.Second)
	require.NoError(l.t, err)
	require.Len(l.t, got, n)
	for i := range rejections {
		rejections[i].Delivery = got[i]
	}
	require.NoError(l.t, l.group.DeadLetter(l.t.Context(), rejections))
}

func (l deadLetters) dlq(in string, args ...string) (code int, out, errs string) {
	l.t.Helper()
	return eventpulse(l.t, in, append(append([]string{"dlq"}, args...), "--redis.url", l.url)...)
}

// done runs a command that must succeed, and returns its output.
func (l deadLetters) done(args ...string) string {
	l.t.Helper()
	code, out, errs := l.dlq("", args...)
	require.Equal(l.t, exitOK, code, errs)
	require.Empty(l.t, errs)
	return out
}

func TestDLQ(t *testing.T) {
	l := newDeadLetters(t)
	require.Empty(t, l.done("list"))
	l.add(2, func(e *event.Event, r *event.Rejection) {
		e.Payload = `{"a":"\u0000"}`
		*r = event.Rejection{Reason: event.ReasonRejected, Code: "22P05", Message: "a character cannot be stored"}
	})
	l.add(3, func(e *event.Event, r *event.Rejection) {
		e.Type = "sign_up"
		*r = event.Rejection{Reason: event.ReasonRejected, Code: "23514", Message: "a check constraint is violated"}
	})

	out := l.done("list")
	require.Equal(t, 6, strings.Count(out, "\n"), out)
	require.Contains(t, out, "rejected 22P05")
	require.NotContains(t, out, "4711")
	out = l.done("list", "-o", "json", "--type", "sign_up", "--source", "shop", "--reason", "23514", "--newer-than", "1d", "--limit", "2")
	require.Equal(t, 2, strings.Count(out, "\n"), out)
	require.NotContains(t, out, "4711")
	require.Empty(t, l.done("list", "--older-than", "1h", "-o", "json"))
	var first struct {
		ID      string `json:"id"`
		EventID string `json:"event_id"`
		Code    string `json:"code"`
	}
	line, _, _ := strings.Cut(l.done("list", "-o", "json"), "\n")
	require.NoError(t, json.Unmarshal([]byte(line), &first))
	require.Equal(t, "22P05", first.Code)

	out = l.done("show", first.ID)
	require.Contains(t, out, first.EventID)
	require.Contains(t, out, "{\n  \"a\": \"\\u0000\"\n}")
	require.True(t, json.Valid([]byte(l.done("show", first.ID, "-o", "json"))))

	// Mended badly, then well.
	code, _, errs := l.dlq("", "replay", first.ID, "--set", "payload=[]")
	require.Equal(t, exitError, code)
	require.Contains(t, errs, "nothing was changed")
	require.Contains(t, errs, "Error: payload: must be a JSON object")
	require.Contains(t, l.done("replay", first.ID, "--set", `payload={"a":"b"}`, "--dry-run"), "would replay 1 of 1")
	require.Contains(t, l.done("replay", first.ID, "--set", `payload={"a":"b"}`), "replayed 1 of 1")
	code, _, errs = l.dlq("", "show", first.ID)
	require.Equal(t, exitError, code)
	require.Regexp(t, regexp.QuoteMeta(first.ID), errs)
	got, err := l.group.Read(t.Context(), "w", 10, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 1)
	e, err := event.FromFields(got[0].Fields)
	require.NoError(t, err)
	require.Equal(t, first.EventID, e.ID.String())
	require.JSONEq(t, `{"a":"b"}`, e.Payload)

	require.JSONEq(t, `{"dry_run":true,"matched":3,"replayed":3,"unreadable":0,"gone":0}`, l.done("replay", "--type", "sign_up", "--dry-run", "-o", "json"))
	require.Contains(t, l.done("replay", "--type", "sign_up", "--limit", "2"), "replayed 2 of 2")

	// Purging asks for confirmation.
	for _, answer := range []string{"", "no\n", "y\n"} {
		code, _, errs = l.dlq(answer, "purge", "--all")
		require.Equal(t, exitError, code)
		require.Contains(t, errs, "removes 2 dead letters")
		require.Contains(t, errs, "nothing was removed")
	}
	require.Contains(t, l.done("purge", "--all", "--dry-run"), "would remove 2 of 2")
	code, out, _ = l.dlq("yes\n", "purge", "--reason", "23514")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "removed 1 of 1")
	require.JSONEq(t, `{"dry_run":false,"matched":1,"removed":1}`, l.done("purge", "--all", "--yes", "-o", "json"))
	require.Contains(t, l.done("purge", "--all"), "removed 0 of 0") // nothing to confirm
	require.Empty(t, l.done("list"))
}

func TestDLQ_NamesUsageErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"purge"}, "--all"},
		{[]string{"purge", "--limit", "5"}, "--all"},
		{[]string{"purge", "1-1", "--all"}, "--all"},
		{[]string{"purge", "1-1", "--type", "x"}, "not both"},
		{[]string{"replay", "1-1", "--limit", "2"}, "not both"},
		{[]string{"replay", "--set", "source=x"}, "its ID"},
		{[]string{"replay", "1-1", "2-1", "--set", "source=x"}, "its ID"},
		{[]string{"replay", "1-1", "--set", "colour=red"}, "event_type"},
		{[]string{"list", "--older-than", "soon"}, "12h or 7d"},
		{[]string{"list", "--older-than", "-1h"}, "more than 0"},
		{[]string{"list", "--newer-than", "0d"}, "more than 0"},
		{[]string{"list", "--older-than", "1dd"}, "12h or 7d"},
		{[]string{"list", "-o", "yaml"}, "--output"},
		{[]string{"list", "--redis.url", "http://x"}, "redis.url"},
		{[]string{"show"}, "show ID"},
		{[]string{"show", "1-1", "2-1"}, "show ID"},
	} {
		code, out, errs := eventpulse(t, "", append([]string{"dlq"}, tt.args...)...)
		require.Equal(t, exitUsage, code, "%v: %s", tt.args, errs)
		require.Empty(t, out)
		require.Contains(t, errs, tt.says, tt.args)
	}
	code, _, errs := eventpulse(t, "", "dlq", "list", "--redis.url", "redis://127.0.0.1:1")
	require.Equal(t, exitError, code)
	require.Contains(t, errs, "127.0.0.1:1")
}

func TestDLQ_HelpAnswersEverywhere(t *testing.T) {
	for _, args := range [][]string{{"dlq"}, {"dlq", "list"}, {"dlq", "show"}, {"dlq", "replay"}, {"dlq", "purge"}} {
		code, out, errs := eventpulse(t, "", append(args, "--help")...)
		require.Equal(t, exitOK, code, args)
		require.Contains(t, out, "Usage:", args)
		require.Empty(t, errs, args)
	}
}
