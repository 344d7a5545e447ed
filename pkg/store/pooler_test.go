package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

// poolers are PgBouncers that treat the settings of a session differently.
func poolers(t *testing.T, test func(t *testing.T, direct, pooled string)) {
	t.Helper()
	for name, settings := range map[string][]string{
		"refusing settings": {"default_pool_size = 2"},
		"ignoring settings": {"default_pool_size = 2", "ignore_startup_parameters = statement_timeout,lock_timeout,idle_in_transaction_session_timeout," +
			"default_transaction_isolation,tcp_keepalives_idle,tcp_keepalives_interval,tcp_keepalives_count,client_connection_check_interval"},
	} {
		t.Run(name, func(t *testing.T) {
			direct := servers.Database(t)
			migrated(t, direct)
			test(t, direct, servers.PgBouncer(t, direct, settings...).URL())
		})
	}
}

// What a batch depends on holds in its transaction, and reaches nobody else who
// gets the session after it.
func TestPooler_SettingsTravelWithTheTransaction(t *testing.T) {
	poolers(t, func(t *testing.T, direct, pooled string) {
		db := admin(t, direct)
		do(t, db, "ALTER DATABASE "+ask[string](t, db, "SELECT current_database()")+" SET synchronous_commit = off",
			"CREATE TABLE seen (settings text)",
			`CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				INSERT INTO seen SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
				WHERE name IN ('lock_timeout', 'statement_timeout', 'synchronous_commit'); RETURN NEW; END $$`,
			"CREATE TRIGGER look BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION look()")
		other := admin(t, pooled)
		other.SetMaxOpenConns(1)
		const settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'synchronous_commit')"
		for _, s := range both(t, pooled) {
			for range 4 { // of two sessions
				require.Empty(t, insert(t, s, newEvent(t)))
				require.Equal(t, "lock_timeout=0 statement_timeout=0 synchronous_commit=off", ask[string](t, other, settings))
			}
		}
		require.Equal(t, "lock_timeout=10000 statement_timeout=30000 synchronous_commit=on", ask[string](t, db, "SELECT DISTINCT settings FROM seen"))
	})
}

func TestPooler_StoresAndFinds(t *testing.T) {
	poolers(t, func(t *testing.T, direct, pooled string) {
		for _, s := range both(t, pooled) {
			events := newEvents(t, 3000)
			require.Empty(t, insert(t, s, events...))
			require.Len(t, insert(t, s, events...), 3000)
			requireStored(t, s, events[7])
			bad := newEvents(t, 10)
			bad[4].Payload = "no JSON"
			_, err := s.Insert(t.Context(), bad)
			requireKind(t, event.KindRejected, err)
			require.NoError(t, s.CheckSchema(t.Context()))
			info, err := s.Inspect(t.Context())
			require.NoError(t, err)
			require.True(t, info.Pooled)
		}
		info, err := openStore(t, direct).Inspect(t.Context())
		require.NoError(t, err)
		require.False(t, info.Pooled)
	})
}

// The lock of a migration must not stay behind on a session of the pooler.
func TestPooler_MigrationsLeaveNoLockBehind(t *testing.T) {
	url := servers.Database(t)
	pooled := servers.PgBouncer(t, url, "default_pool_size = 2").URL()
	db := admin(t, url)
	for range 3 {
		s := openStore(t, pooled)
		_, err := s.MigrateUp(t.Context())
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return ask[int](t, db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
		}, 20*time.Second, 10*time.Millisecond)
		require.NoError(t, s.CheckSchema(t.Context()))
		_, err = s.MigrateDown(t.Context())
		require.NoError(t, err)
	}
}

func TestPooler_SearchPathIsRejectedByName(t *testing.T) {
	url := servers.Database(t)
	pooled := servers.PgBouncer(t, url).URL()
	err := openStore(t, pooled+"&search_path=elsewhere").Ping(t.Context())
	requireKind(t, event.KindUnavailable, err)
	require.ErrorContains(t, err, "ALTER ROLE … SET search_path")
}

func TestMigrate_SaysWhomItWaitsForAndEnds(t *testing.T) {
	dsn := servers.Database(t)
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	q := u.Query()
	q.Set("application_name", "somebody else")
	u.RawQuery = q.Encode()
	holder, err := admin(t, u.String()).Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, holder.Close()) }()
	// As a version before this one left it on a session of a pooler.
	_, err = holder.ExecContext(t.Context(), fmt.Sprintf("SELECT pg_advisory_lock(%d)", store.MigrationLock))
	require.NoError(t, err)

	var log bytes.Buffer
	cfg := store.DefaultConfig()
	cfg.URL = dsn
	s, err := store.Open(cfg, slog.New(slog.NewTextHandler(&log, nil)), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	store.SetLockWait(s, 1500*time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = s.MigrateUp(ctx)
	requireKind(t, event.KindUnavailable, err)
	require.ErrorContains(t, err, "another process is migrating this database")
	require.ErrorContains(t, err, "somebody else")
	require.Contains(t, log.String(), "waiting for another process")
	require.Contains(t, log.String(), "application somebody else")
}
