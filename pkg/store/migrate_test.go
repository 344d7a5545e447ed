package store_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

const firstMigration = "0001_create_events"

// admin opens a plain connection pool beside the store's.
func admin(tb testing.TB, url string) *sql.DB {
	tb.Helper()
	var db *sql.DB
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		var err error
		db, err = sql.Open("sqlite", path)
		require.NoError(tb, err)
	} else {
		db = sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(url), pgdriver.WithTimeout(time.Minute)))
	}
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func do(tb testing.TB, db *sql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(tb.Context(), s)
		require.NoError(tb, err, s)
	}
}

func ask[T any](tb testing.TB, db *sql.DB, query string) T {
	tb.Helper()
	var v T
	require.NoError(tb, db.QueryRowContext(tb.Context(), query).Scan(&v), query)
	return v
}

// countTables counts what is in the database besides what it came with.
func countTables(tb testing.TB, url string) int64 {
	tb.Helper()
	query := "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
	if strings.HasPrefix(url, "sqlite:") {
		query = "SELECT count(*) FROM sqlite_master"
	}
	return ask[int64](tb, admin(tb, url), query)
}

func TestMigrate_UpDownUp(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		for range 2 {
			applied, err := s.MigrateUp(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{firstMigration}, applied)

			applied, err = s.MigrateUp(t.Context())
			require.NoError(t, err)
			require.Empty(t, applied)

			require.NoError(t, s.CheckSchema(t.Context()))
			list, err := s.MigrateStatus(t.Context())
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, "0001", list[0].Name)
			require.Equal(t, "create_events", list[0].Comment)
			require.Equal(t, int64(1), list[0].Group)
			require.WithinDuration(t, time.Now(), list[0].AppliedAt, time.Minute)

			e := newEvent(t)
			_, err = s.Insert(t.Context(), []event.Event{e})
			require.NoError(t, err)
			requireStored(t, s, e)

			undone, err := s.MigrateDown(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{firstMigration}, undone)
			require.ErrorContains(t, s.CheckSchema(t.Context()), "schema is behind: 0001_create_events")

			undone, err = s.MigrateDown(t.Context())
			require.NoError(t, err)
			require.Empty(t, undone)
		}
	})
}

func TestMigrateStatus_ChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		err := s.CheckSchema(t.Context())
		requireKind(t, event.KindUnavailable, err)
		require.ErrorIs(t, err, store.ErrSchemaBehind)
		require.ErrorContains(t, err, "schema is behind: 0001_create_events not applied; run eventpulse migrate up")
		list, err := s.MigrateStatus(t.Context())
		require.NoError(t, err)
		require.Equal(t, []store.Migration{{Name: "0001", Comment: "create_events"}}, list)
		require.Zero(t, countTables(t, url))

		_, err = s.Insert(t.Context(), newEvents(t, 1))
		requireKind(t, event.KindUnavailable, err)
	})
}

func TestMigrate_ManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		const callers = 6
		var wg sync.WaitGroup
		results := make([][]string, callers)
		errs := make([]error, callers)
		for i := range callers {
			s := openStore(t, url)
			wg.Go(func() { results[i], errs[i] = s.MigrateUp(t.Context()) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		require.Equal(t, []string{firstMigration}, slices.Concat(results...), "one of them did it, once")
		require.NoError(t, openStore(t, url).CheckSchema(t.Context()))
	})
}

// SQLite has no lock for the whole of it: callers may all have seen that the
// migration is due before the first of them does it.
func TestMigrate_SQLiteByManyThatSeeTheSameState(t *testing.T) {
	url := sqliteURL(t)
	s := migrated(t, url)
	_, err := s.MigrateDown(t.Context()) // what is left can be looked at without a lock
	require.NoError(t, err)

	conn, err := admin(t, url).Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	const callers = 4
	var wg sync.WaitGroup
	results := make([][]string, callers)
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() { results[i], errs[i] = s.MigrateUp(t.Context()) })
	}
	queued := func() int { // in SQLite's wait for the lock
		buf := make([]byte, 1<<20)
		return strings.Count(string(buf[:runtime.Stack(buf, true)]), "/busy.go:")
	}
	require.Eventually(t, func() bool { return queued() == callers }, 20*time.Second, time.Millisecond)
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	released := errors.Join(err, conn.Close())
	wg.Wait()
	require.NoError(t, errors.Join(append(errs, released)...))
	require.Equal(t, []string{firstMigration}, slices.Concat(results...))
}

func TestCheckSchema_AcceptsANewerOne(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := migrated(t, url)
		do(t, admin(t, url), "INSERT INTO eventpulse_migrations (name, group_id) VALUES ('9999', 2)")
		require.NoError(t, s.CheckSchema(t.Context()))
		list, err := s.MigrateStatus(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, "9999", list[1].Name)
		require.True(t, list[1].Unknown)
		require.False(t, list[0].Unknown)

		applied, err := s.MigrateUp(t.Context())
		require.NoError(t, err)
		require.Empty(t, applied)
		_, err = s.MigrateDown(t.Context())
		require.ErrorContains(t, err, "newer than this program")
		require.NoError(t, s.CheckSchema(t.Context()), "nothing was undone")
	})
}

func TestMigrate_FailsWholeOnAConflictingTable(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		db := admin(t, url)
		do(t, db, "CREATE TABLE events_created_at_idx (n int)") // met half-way through
		s := openStore(t, url)
		applied, err := s.MigrateUp(t.Context())
		require.ErrorContains(t, err, "events_created_at_idx")
		require.ErrorContains(t, err, "migrate up")
		require.Empty(t, applied)
		require.ErrorContains(t, s.CheckSchema(t.Context()), "behind")

		do(t, db, "DROP TABLE events_created_at_idx")
		applied, err = s.MigrateUp(t.Context())
		require.NoError(t, err, "nothing was left half done")
		require.Equal(t, []string{firstMigration}, applied)
	})
}

func TestMigrate_KilledInTheMiddle(t *testing.T) {
	url := servers.Database(t)
	db := admin(t, url)
	s := openStore(t, url)

	// A name that somebody else is about to use stops the migration after it
	// has made the table, until they decide.
	blocker, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = blocker.ExecContext(t.Context(), "CREATE TABLE events_source_idx (n int)")
	require.NoError(t, err)

	result := make(chan error, 1)
	go func() {
		_, err := s.MigrateUp(t.Context())
		result <- err
	}()
	const waiting = `SELECT coalesce((SELECT pid FROM pg_stat_activity WHERE datname = current_database()
		AND wait_event_type = 'Lock' AND application_name = 'eventpulse'), 0)`
	var pid int64
	require.Eventually(t, func() bool { pid = ask[int64](t, db, waiting); return pid != 0 }, 20*time.Second, 10*time.Millisecond)
	require.True(t, ask[bool](t, db, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory'"))

	// While it works, another waits, as long as its context lasts.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = openStore(t, url).MigrateUp(ctx)
	requireKind(t, event.KindUnavailable, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "another process is migrating")

	_, err = db.ExecContext(t.Context(), "SELECT pg_terminate_backend($1::int)", pid)
	require.NoError(t, err)
	requireKind(t, event.KindUnavailable, <-result)
	require.NoError(t, blocker.Rollback())

	require.ErrorContains(t, s.CheckSchema(t.Context()), "behind")
	require.False(t, ask[bool](t, db, "SELECT to_regclass('events') IS NOT NULL"))
	applied, err := s.MigrateUp(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{firstMigration}, applied)
	require.Eventually(t, func() bool {
		return ask[int64](t, db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
	}, 20*time.Second, 10*time.Millisecond, "the lock goes with its connection")
}

// The library underneath marks a migration in a step of its own. When the
// process dies before that step, the migration must still count as done.
func TestMigrate_KilledAfterItsCommit(t *testing.T) {
	url := servers.Database(t)
	db := admin(t, url)
	s := migrated(t, url)
	_, err := s.MigrateDown(t.Context())
	require.NoError(t, err)

	do(t, db, `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$`,
		`CREATE TRIGGER die BEFORE UPDATE ON eventpulse_migrations FOR EACH ROW EXECUTE FUNCTION die()`)
	_, err = s.MigrateUp(t.Context())
	require.ErrorContains(t, err, "killed")
	require.NoError(t, s.CheckSchema(t.Context()))

	do(t, db, "DROP TRIGGER die ON eventpulse_migrations")
	applied, err := s.MigrateUp(t.Context())
	require.NoError(t, err)
	require.Empty(t, applied)
	undone, err := s.MigrateDown(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{firstMigration}, undone)
}

func TestMigrate_SchemaIsTheContract(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	db := admin(t, url)
	rows, err := db.QueryContext(t.Context(), `
		SELECT column_name || ' ' || data_type || coalesce('(' || character_maximum_length || ')', '') ||
			CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END || coalesce(' default ' || column_default, '')
		FROM information_schema.columns WHERE table_name = 'events' ORDER BY ordinal_position`)
	require.NoError(t, err)
	var columns []string
	for rows.Next() {
		var c string
		require.NoError(t, rows.Scan(&c))
		columns = append(columns, c)
	}
	require.NoError(t, errors.Join(rows.Err(), rows.Close()))
	require.Equal(t, []string{
		"event_id uuid not null",
		"event_type character varying(255) not null",
		"source character varying(255) not null",
		"timestamp timestamp with time zone not null",
		"payload jsonb not null default '{}'::jsonb",
		"metadata jsonb not null default '{}'::jsonb",
		"created_at timestamp with time zone not null default now()",
	}, columns)
	require.Equal(t, "created_at,event_id,event_type,source,timestamp", ask[string](t, db, `
		SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_index i
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = 'events'::regclass AND i.indnatts = 1`))
}

func TestOpen_SQLiteFilesOfAnyName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b", "a?b=c", "a#b", "a%20b", "ä", "sub/dir/a"} {
		path := filepath.Join(dir, name)
		s := migrated(t, "sqlite:"+path)
		_, err := s.Insert(t.Context(), newEvents(t, 1))
		require.NoError(t, err)
		require.FileExists(t, path)
	}
}
