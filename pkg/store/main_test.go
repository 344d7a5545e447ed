package store_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// openStore opens a store on url that is closed with the test.
func openStore(tb testing.TB, url string, change ...func(*store.Config)) *store.Store {
	tb.Helper()
	cfg := store.DefaultConfig()
	cfg.URL = url
	for _, c := range change {
		c(&cfg)
	}
	s, err := store.Open(cfg, slog.New(slog.DiscardHandler), nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	if strings.HasSuffix(url, insertMark) {
		store.ByInsert(s)
	}
	return s
}

// insertMark at the end of a PostgreSQL URL makes openStore open a store that
// does not try COPY.
const insertMark = "&application_name=by+insert"

// both opens a store that stores by COPY, and one that does by INSERT.
func both(tb testing.TB, url string) []*store.Store {
	tb.Helper()
	return []*store.Store{openStore(tb, url), openStore(tb, url+insertMark)}
}

// migrated opens a store on url with its schema up to date.
func migrated(tb testing.TB, url string, change ...func(*store.Config)) *store.Store {
	tb.Helper()
	s := openStore(tb, url, change...)
	_, err := s.MigrateUp(tb.Context())
	require.NoError(tb, err)
	return s
}

func sqliteURL(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "events.db") }

// each runs a test on every way to store, each time with the URL of an empty
// database.
func each(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("postgres", func(t *testing.T) { test(t, servers.Database(t)) })
	t.Run("postgres by INSERT", func(t *testing.T) { test(t, servers.Database(t)+insertMark) })
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteURL(t)) })
}

// newEvent returns a valid event with an id of its own.
func newEvent(tb testing.TB) event.Event {
	tb.Helper()
	id, err := uuid.NewV7()
	require.NoError(tb, err)
	return event.Event{
		ID: id, Type: "test.happened", Source: "tests",
		Timestamp: time.Date(2026, 3, 1, 12, 30, 0, 123456000, time.UTC),
		Payload:   `{"n":1}`, Metadata: `{}`,
	}
}

func newEvents(tb testing.TB, n int) []event.Event {
	tb.Helper()
	events := make([]event.Event, n)
	for i := range events {
		events[i] = newEvent(tb)
	}
	return events
}

// requireStored checks that the event is in the database as it was sent.
func requireStored(tb testing.TB, s *store.Store, sent event.Event) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	found, err := s.Find(ctx, []uuid.UUID{sent.ID})
	require.NoError(tb, err)
	require.Len(tb, found, 1)
	requireSame(tb, sent, found[0])
	createdAt, err := store.CreatedAt(ctx, s, sent.ID)
	require.NoError(tb, err)
	require.WithinDuration(tb, time.Now(), createdAt, time.Minute)
}

func requireSame(tb testing.TB, sent, got event.Event) {
	tb.Helper()
	require.Equal(tb, sent.ID, got.ID)
	require.Equal(tb, sent.Type, got.Type)
	require.Equal(tb, sent.Source, got.Source)
	require.Equal(tb, sent.Timestamp, got.Timestamp)
	requireSameJSON(tb, sent.Payload, got.Payload)
	requireSameJSON(tb, sent.Metadata, got.Metadata)
}

func requireCount(tb testing.TB, s *store.Store, want int64) {
	tb.Helper()
	n, err := s.Count(tb.Context())
	require.NoError(tb, err)
	require.Equal(tb, want, n)
}

func requireKind(tb testing.TB, want event.Kind, err error) *event.Error {
	tb.Helper()
	var e *event.Error
	require.ErrorAs(tb, err, &e)
	require.Equal(tb, want, e.Kind, "%v", err)
	return e
}
