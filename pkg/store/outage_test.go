package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestInsert_OutageIsUnavailableAndPasses(t *testing.T) {
	server := servers.Postgres(t)
	s := migrated(t, server.URL())
	events := newEvents(t, 10)

	require.NoError(t, server.Kill())
	for range 2 {
		_, err := s.Insert(t.Context(), events)
		requireKind(t, event.KindUnavailable, err)
	}
	requireKind(t, event.KindUnavailable, s.Ping(t.Context()))
	requireKind(t, event.KindUnavailable, s.CheckSchema(t.Context()))

	require.NoError(t, server.Start())
	inserted, err := s.Insert(t.Context(), events)
	require.NoError(t, err)
	require.Empty(t, inserted.Duplicates)

	// A restart between two uses breaks what was idle in the pool, nothing more.
	require.NoError(t, server.Stop())
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, 20*time.Second, 10*time.Millisecond)
	requireCount(t, s, 10)
}

func TestOpen_DoesNotDial(t *testing.T) {
	s := openStore(t, "postgres://user:hunter2@127.0.0.1:1/db")
	err := s.Ping(t.Context())
	requireKind(t, event.KindUnavailable, err)
	require.ErrorContains(t, err, "connect to 127.0.0.1:1")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestInsert_ReturnsFromAFrozenServer(t *testing.T) {
	server := servers.Postgres(t)
	s := migrated(t, server.URL(), func(c *store.Config) { c.ConnectTimeout = 500 * time.Millisecond })
	events := newEvents(t, 10)
	require.NoError(t, s.Ping(t.Context())) // there is a connection to wait on
	require.NoError(t, server.Pause())

	for want, ends := range map[error]func() (context.Context, context.CancelFunc){
		context.Canceled: func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(200*time.Millisecond, cancel)
			return ctx, cancel
		},
		context.DeadlineExceeded: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 200*time.Millisecond)
		},
	} {
		ctx, cancel := ends()
		start := time.Now()
		_, err := s.Insert(ctx, events)
		cancel()
		requireKind(t, event.KindUnavailable, err)
		require.ErrorIs(t, err, want)
		require.Less(t, time.Since(start), 10*time.Second)
	}
	// No connection is left: it is connecting that must not take for ever.
	start := time.Now()
	_, err := s.Insert(t.Context(), events)
	requireKind(t, event.KindUnavailable, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 10*time.Second)

	require.NoError(t, server.Resume())
	_, err = s.Insert(t.Context(), events)
	require.NoError(t, err, "whatever the frozen attempts did, again is safe")
	requireCount(t, s, 10)
}

// slowCommit makes every insert take seconds to commit, after its rows have
// been sent back.
func slowCommit(seconds int) []string {
	return atCommit(fmt.Sprintf("PERFORM pg_sleep(%d);", seconds))
}

// atCommit runs statements in the commit of every insert.
func atCommit(plpgsql string) []string {
	return []string{
		"CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + plpgsql + " RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED " +
			"FOR EACH ROW EXECUTE FUNCTION at_commit()",
	}
}

func TestInsert_FailsWithItsCommit(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	db := admin(t, url)
	do(t, db, atCommit("RAISE check_violation;")...)
	for _, s := range both(t, url) {
		for _, n := range []int{1, 1000} { // in one message, and in many
			_, err := s.Insert(t.Context(), newEvents(t, n))
			requireKind(t, event.KindRejected, err)
			requireCount(t, s, 0)
		}
	}
}

func TestInsert_UnknownOutcomeIsSafeToRepeat(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	db := admin(t, url)
	do(t, db, atCommit("IF NEW.source = 'slow' THEN PERFORM pg_sleep(2); END IF;")...)
	stored := int64(0)
	for _, s := range both(t, url) {
		events := newEvents(t, 10)
		events[0].Source = "slow"
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := s.Insert(ctx, events)
			result <- err
		}()
		sleeper(t, db)
		cancel()
		err := <-result
		requireKind(t, event.KindUnavailable, err)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "may have happened")
		requireCount(t, s, stored) // a cancelled caller does not wait for the server

		// The server did commit, a moment after we left.
		stored += 10
		require.Eventually(t, func() bool { n, err := s.Count(t.Context()); return err == nil && n == stored },
			20*time.Second, 10*time.Millisecond)
		require.Len(t, insert(t, s, events...), 10)
		requireCount(t, s, stored)
	}
}

// sleeper waits until a session sleeps, as in [slowCommit], and returns its
// process.
func sleeper(t *testing.T, db *sql.DB) (pid int64) {
	t.Helper()
	const asleep = `SELECT coalesce((SELECT pid FROM pg_stat_activity WHERE datname = current_database()
		AND wait_event = 'PgSleep'), 0)`
	require.Eventually(t, func() bool { pid = ask[int64](t, db, asleep); return pid != 0 }, 20*time.Second, 10*time.Millisecond)
	return pid
}

func TestInsert_KilledSessionIsUnavailable(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	db := admin(t, url)
	do(t, db, slowCommit(30)...)
	result, events := make(chan error, 1), newEvents(t, 10)
	go func() {
		_, err := s.Insert(t.Context(), events)
		result <- err
	}()
	pid := sleeper(t, db)
	do(t, db, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
	e := requireKind(t, event.KindUnavailable, <-result)
	require.Equal(t, "57P01", e.Code)
	requireCount(t, s, 0)
}

func TestInsert_ServerTimesOutBeforeTheClient(t *testing.T) {
	url := servers.Database(t)
	db := admin(t, url)
	migrated(t, url)
	s := openStore(t, url, func(c *store.Config) {
		c.LockTimeout, c.StatementTimeout = 200*time.Millisecond, 400*time.Millisecond
	})

	locked, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = locked.ExecContext(t.Context(), "LOCK TABLE events IN EXCLUSIVE MODE")
	require.NoError(t, err)
	_, err = s.Insert(t.Context(), newEvents(t, 10))
	require.Equal(t, "55P03", requireKind(t, event.KindUnavailable, err).Code)
	require.NoError(t, locked.Rollback())

	do(t, db, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$",
		"CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION slow()")
	_, err = s.Insert(t.Context(), newEvents(t, 10))
	require.Equal(t, "57014", requireKind(t, event.KindBlocked, err).Code)
	do(t, db, "DROP TRIGGER slow ON events")
	_, err = s.Insert(t.Context(), newEvents(t, 1))
	require.NoError(t, err)
}

// After a failover the old primary comes back read-only. The session that
// finds out is not used again.
func TestInsert_LeavesAReadOnlyServer(t *testing.T) {
	url := servers.Database(t)
	s := migrated(t, url)
	db := admin(t, url)
	name := ask[string](t, db, "SELECT current_database()")
	sessions := func() int64 {
		return ask[int64](t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'eventpulse'")
	}
	require.NoError(t, s.Ping(t.Context()))
	require.Eventually(t, func() bool { return sessions() == 1 }, 20*time.Second, 10*time.Millisecond)
	do(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'eventpulse'",
		"ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, 20*time.Second, 10*time.Millisecond)
	_, err := s.Insert(t.Context(), newEvents(t, 10))
	require.Equal(t, "25006", requireKind(t, event.KindUnavailable, err).Code)
	require.Eventually(t, func() bool { return sessions() == 0 }, 20*time.Second, 10*time.Millisecond)

	do(t, db, "SET default_transaction_read_only = off", "ALTER DATABASE "+name+" SET default_transaction_read_only = off")
	_, err = s.Insert(t.Context(), newEvents(t, 1))
	require.NoError(t, err)
}

func TestInsert_TooManyConnectionsIsUnavailable(t *testing.T) {
	server := servers.Postgres(t, "max_connections=5", "superuser_reserved_connections=2")
	s := migrated(t, server.URL())
	db := admin(t, server.URL())
	do(t, db, "CREATE ROLE plain LOGIN", "GRANT INSERT, SELECT ON events TO plain")
	plain := openStore(t, strings.Replace(server.URL(), "postgres@", "plain@", 1))
	hold, err := db.Conn(t.Context())
	require.NoError(t, err)
	other, err := db.Conn(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Ping(t.Context()))
	_, err = plain.Insert(t.Context(), newEvents(t, 1))
	require.Equal(t, "53300", requireKind(t, event.KindUnavailable, err).Code)
	require.NoError(t, other.Close())
	require.NoError(t, hold.Close())
}

func TestInsert_SaysWhatAnOperatorMustSetRight(t *testing.T) {
	server := servers.Postgres(t)
	migrated(t, server.URL())
	db := admin(t, server.URL())
	do(t, db, "CREATE ROLE stranger LOGIN")
	host := "@" + server.Addr()
	for _, c := range []struct{ url, code, says string }{
		{"postgres://postgres" + host + "/nowhere", "3D000", "the database does not exist"},
		{"postgres://nobody:hunter2" + host + "/postgres", "28000", "refuses the login"},
		{"postgres://stranger" + host + "/postgres", "42501", "permission denied"},
		{"postgres://postgres" + host + "/template1", "42P01", "run eventpulse migrate up"},
	} {
		_, err := openStore(t, c.url).Insert(t.Context(), newEvents(t, 1))
		e := requireKind(t, event.KindUnavailable, err)
		require.Equal(t, c.code, e.Code, err)
		require.ErrorContains(t, err, c.says)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestInsert_RunsUnderItsSettings(t *testing.T) {
	url := servers.Database(t)
	migrated(t, url)
	db := admin(t, url)
	name := ask[string](t, db, "SELECT current_database()")
	do(t, db, "CREATE TABLE seen (settings text)",
		`CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO seen SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN
			('application_name', 'statement_timeout', 'lock_timeout', 'client_connection_check_interval', 'TimeZone',
			 'idle_in_transaction_session_timeout', 'synchronous_commit', 'tcp_keepalives_idle', 'default_transaction_isolation');
			RETURN NEW; END $$`,
		"CREATE TRIGGER look BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION look()",
		"ALTER DATABASE "+name+" SET synchronous_commit = off",
		"ALTER DATABASE "+name+" SET timezone = 'Asia/Kolkata'",
		"ALTER DATABASE "+name+" SET default_transaction_isolation = 'serializable'")
	seen := func(s *store.Store) string {
		do(t, db, "TRUNCATE seen")
		_, err := s.Insert(t.Context(), newEvents(t, 1))
		require.NoError(t, err)
		return ask[string](t, db, "SELECT settings FROM seen")
	}
	require.Equal(t, "TimeZone=UTC application_name=eventpulse client_connection_check_interval=5000 "+
		"default_transaction_isolation=read committed idle_in_transaction_session_timeout=60000 lock_timeout=10000 "+
		"statement_timeout=30000 synchronous_commit=on tcp_keepalives_idle=15", seen(openStore(t, url)))

	do(t, db, "ALTER DATABASE "+name+" SET synchronous_commit = 'local'")
	settings := seen(openStore(t, url+"&application_name=worker+7&search_path=public,pg_catalog"))
	require.Contains(t, settings, "synchronous_commit=local", "only what is unsafe is changed")
	require.Contains(t, settings, "application_name=worker 7")
}
