package spool

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

// testdata/v1 is a spool that an earlier release has left behind: six events in
// two segments, of which the first is published.
const formatV1 = "testdata/v1"

func eventsV1() []event.Event {
	events := makeEvents(6)
	for i := range events {
		events[i].ID = uuid.MustParse(fmt.Sprintf("0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e7%d", i))
		events[i].Payload = `{"n":1}`
	}
	return events
}

func TestFormat_SpoolOfAnEarlierReleaseIsDrained(t *testing.T) {
	cfg := quick(t.TempDir())
	require.NoError(t, os.CopyFS(cfg.Dir, os.DirFS(formatV1)))
	f := start(t, cfg, newStream(accepts))
	backlog, _ := f.Backlog()
	require.EqualValues(t, 5, backlog)
	f.run(t)
	f.drained(t)
	want := eventsV1()[1:]
	require.Equal(t, ids(want), f.stream.accepted())
	for _, e := range want {
		require.Equal(t, e, f.stream.last[e.ID])
	}
	require.NotContains(t, f.logs.String(), "ERROR")
}

// A release that is rolled back must be able to read what this one writes.
func TestFormat_IsWrittenAsByAnEarlierRelease(t *testing.T) {
	old, err := journal.Open(journal.Options{Dir: copyOf(t, formatV1), MaxBytes: 1 << 30})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, old.Close(closeTimeout)) })
	records, err := old.Reader().Read(1)
	require.NoError(t, err)
	require.Len(t, records, 1)
	e := eventsV1()[1]
	require.Equal(t, string(records[0].Payload), string(appendEvent(nil, &e)))
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}
