package store_test

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestInspect_Postgres(t *testing.T) {
	dsn := servers.Database(t)
	s := openStore(t, dsn)
	f, err := s.Inspect(t.Context())
	require.NoError(t, err)
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	require.False(t, f.SQLite)
	require.Equal(t, u.Host, f.Address)
	require.Equal(t, u.Path, "/"+f.Database)
	require.NotEmpty(t, f.Version)
	require.GreaterOrEqual(t, f.VersionNumber, 140000)
	require.Positive(t, f.Latency)
	require.InDelta(t, 0, f.ClockAhead, float64(f.ClockWithin+time.Millisecond))
	require.Equal(t, "UTF8", f.Encoding)
	require.False(t, f.Standby || f.ReadOnly)
	require.False(t, f.Fsync) // as tests have it
	require.True(t, f.FullPageWrites)
	require.Equal(t, "on", f.SynchronousCommit)
	require.Equal(t, 97, f.MaxConnections)
	require.Positive(t, f.Connections)
	require.Equal(t, -1, f.ConnectionLimit)
	require.False(t, f.Table)
	require.NoError(t, f.MigrationsErr)
	require.NotEmpty(t, f.Migrations)
	require.Zero(t, f.Migrations[0].AppliedAt)

	_, err = s.MigrateUp(t.Context())
	require.NoError(t, err)
	f, err = s.Inspect(t.Context())
	require.NoError(t, err)
	require.True(t, f.Table)
	require.Empty(t, f.Problems)
	require.NotZero(t, f.Migrations[0].AppliedAt)
}

func TestInspect_SeesSettingsOfRoleAndDatabase(t *testing.T) {
	dsn := servers.Database(t)
	migrated(t, dsn)
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	name := u.Path[1:]
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(dsn)))
	defer db.Close()
	for _, statement := range []string{
		"CREATE ROLE inspected LOGIN CONNECTION LIMIT 7",
		"ALTER DATABASE " + name + " CONNECTION LIMIT 5",
		"ALTER ROLE inspected SET default_transaction_read_only = on",
		"ALTER ROLE inspected SET synchronous_commit = off",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err, statement)
	}
	t.Cleanup(func() {
		db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(dsn)))
		defer db.Close()
		_, err := db.Exec("DROP ROLE inspected")
		require.NoError(t, err)
	})
	u.User = url.User("inspected")
	s := openStore(t, u.String())
	f, err := s.Inspect(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, f.ConnectionLimit)
	require.True(t, f.ReadOnly)
	require.Equal(t, "off", f.SynchronousCommit)
	require.True(t, f.Table)
	require.Equal(t, []store.Problem{{Topic: "permissions", Object: "table events", Detail: "this role may not write to it and read from it", Remedy: "GRANT SELECT, INSERT ON events TO inspected"}}, f.Problems)
	require.Error(t, f.MigrationsErr) // the table is not theirs to read
	require.NoError(t, s.Close())

	_, err = db.Exec("ALTER DATABASE " + name + " CONNECTION LIMIT -1")
	require.NoError(t, err)
	f, err = openStore(t, u.String()).Inspect(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7, f.ConnectionLimit)
}

func TestInspect_SQLite(t *testing.T) {
	dsn := sqliteURL(t)
	_, err := openStore(t, dsn).Inspect(t.Context())
	require.ErrorContains(t, err, "no such file") // and none was made
	_, err = openStore(t, dsn).Inspect(t.Context())
	require.Error(t, err)

	f, err := migrated(t, dsn).Inspect(t.Context())
	require.NoError(t, err)
	require.True(t, f.SQLite)
	require.Equal(t, dsn, "sqlite:"+f.Address)
	require.NotEmpty(t, f.Version)
	require.NotZero(t, f.Migrations[0].AppliedAt)
}

func TestInspect_Unreachable(t *testing.T) {
	f, err := openStore(t, "postgres://me:hunter2@127.0.0.1:1/events?sslmode=disable").Inspect(t.Context())
	require.NotContains(t, requireKind(t, event.KindUnavailable, err).Error(), "hunter2")
	require.Equal(t, "127.0.0.1:1", f.Address)
	require.Equal(t, "events", f.Database)
}
