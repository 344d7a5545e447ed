package pgsession_test

import (
	"database/sql"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// open opens a pool of sessions that closes with the test.
func open(tb testing.TB, url string, change ...func(*pgsession.Config)) *sql.DB {
	tb.Helper()
	db := sql.OpenDB(connector(tb, url, change...))
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func connector(tb testing.TB, url string, change ...func(*pgsession.Config)) *pgsession.Connector {
	tb.Helper()
	e, err := pgsession.ParseURL(url)
	require.NoError(tb, err)
	cfg := pgsession.Config{
		Endpoint: e, ApplicationName: "pgsession",
		ConnectTimeout: 5 * time.Second, StatementTimeout: 30 * time.Second, LockTimeout: 10 * time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	return pgsession.NewConnector(cfg)
}

func ping(tb testing.TB, url string) error {
	tb.Helper()
	return open(tb, url).PingContext(tb.Context())
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
