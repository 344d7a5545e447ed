package store_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
)

func TestMetrics(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		migrated(t, url)
		reg := prometheus.NewPedanticRegistry()
		cfg := store.DefaultConfig()
		cfg.URL = url
		s, err := store.Open(cfg, slog.New(slog.DiscardHandler), reg)
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()

		events := newEvents(t, 5)
		_, err = s.Insert(t.Context(), events[:3])
		require.NoError(t, err)
		_, err = s.Insert(t.Context(), events)
		require.NoError(t, err)
		broken := newEvent(t)
		broken.Payload = "no JSON"
		_, err = s.Insert(t.Context(), []event.Event{broken})
		require.Error(t, err)

		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP eventpulse_store_duplicates_total Events that were stored before under the same id.
# TYPE eventpulse_store_duplicates_total counter
eventpulse_store_duplicates_total 3
# HELP eventpulse_store_errors_total Batches that could not be inserted, by kind of error.
# TYPE eventpulse_store_errors_total counter
eventpulse_store_errors_total{kind="blocked"} 0
eventpulse_store_errors_total{kind="rejected"} 1
eventpulse_store_errors_total{kind="unavailable"} 0
# HELP eventpulse_store_rows_inserted_total Events stored, duplicates not counted.
# TYPE eventpulse_store_rows_inserted_total counter
eventpulse_store_rows_inserted_total 5
`), "eventpulse_store_duplicates_total", "eventpulse_store_errors_total", "eventpulse_store_rows_inserted_total"))
		n, err := testutil.GatherAndCount(reg)
		require.NoError(t, err)
		require.Equal(t, 8, n)
		problems, err := testutil.GatherAndLint(reg)
		require.NoError(t, err)
		require.Empty(t, problems)
	})
}
