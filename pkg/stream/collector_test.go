package stream

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// gathered returns the gauges of reg that there is one of, by name.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		if m := f.GetMetric(); len(m) == 1 && m[0].GetGauge() != nil {
			out[f.GetName()] = m[0].GetGauge().GetValue()
		}
	}
	return out
}

func TestCollector_ReportsTheStreamAndItsGroup(t *testing.T) {
	server := servers.Redis(t)
	redis := DefaultRedisConfig()
	redis.URL = server.URL()
	reg := prometheus.NewRegistry()
	conn, err := Open(redis, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	c := newGroupOn(t, conn, DefaultConfig(), reg)
	t.Cleanup(c.Close)
	require.NoError(t, c.EnsureGroup(t.Context()))
	require.NoError(t, c.Publish(t.Context(), sample(0, 5)))
	_, err = c.Read(t.Context(), "me", 2, time.Second)
	require.NoError(t, err)

	got := gathered(t, reg)
	for name, want := range map[string]float64{
		"up": 1, "length_entries": 5, "backlog_entries": 3, "pending_entries": 2, "consumers": 1, "dead_letters": 0,
	} {
		require.InDelta(t, want, got["eventpulse_stream_"+name], 0, name)
	}
	require.Contains(t, got, "eventpulse_stream_oldest_unprocessed_seconds")

	require.NoError(t, server.Kill())
	got = gathered(t, reg)
	require.InDelta(t, 0, got["eventpulse_stream_up"], 0)
	require.NotContains(t, got, "eventpulse_stream_backlog_entries", "what is not known is not said")
}

func TestStats_OldestUnprocessedIsTheOlderOfBoth(t *testing.T) {
	now := time.UnixMilli(10_000)
	require.Zero(t, Stats{}.oldestUnprocessed(now))
	require.Equal(t, 9*time.Second, Stats{OldestPending: "1000-0", OldestUnread: "2000-0"}.oldestUnprocessed(now))
	require.Equal(t, 8*time.Second, Stats{OldestUnread: "2000-0"}.oldestUnprocessed(now))
}
