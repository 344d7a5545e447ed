package pgsession_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
	"github.com/eventpulse/eventpulse/test/servers"
)

func conn(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// numbered are rows of a table (id uuid, name text).
func numbered(n int, name string) pgsession.Rows {
	return pgsession.Rows{
		Len: n, Columns: 2,
		Size: func(int) int { return pgsession.UUIDSize + pgsession.TextSize + len(name) },
		Append: func(dst []byte, i int) []byte {
			return pgsession.AppendText(pgsession.AppendUUID(dst, [16]byte{14: byte(i >> 8), 15: byte(i)}), name)
		},
	}
}

const copyThings = "COPY things (id, name) FROM STDIN (FORMAT binary)"

func TestCopy_StoresAllOrNothing(t *testing.T) {
	db := open(t, servers.Database(t))
	do(t, db, "CREATE TABLE things (id uuid PRIMARY KEY, name text CHECK (name <> 'bad'))")
	c := conn(t, db)
	for _, n := range []int{0, 1, 20_000} { // in one message, and in several
		do(t, db, "TRUNCATE things")
		stored, err := pgsession.Copy(t.Context(), c, "", copyThings, numbered(n, strings.Repeat("x", 100)))
		require.NoError(t, err)
		require.Equal(t, n, stored)
		require.Equal(t, n, ask[int](t, db, "SELECT count(*) FROM things"))
	}
	_, err := pgsession.Copy(t.Context(), c, "", copyThings, numbered(1, "again"))
	e, ok := pgsession.AsError(err)
	require.True(t, ok)
	require.Equal(t, "23505", e.State)
	require.Equal(t, "things_pkey", e.Constraint)
	require.Equal(t, "things", e.Table)
	do(t, db, "TRUNCATE things")
	_, err = pgsession.Copy(t.Context(), c, "", copyThings, numbered(20_000, "bad"))
	require.Equal(t, "23514", pgsession.State(err))
	require.Zero(t, ask[int](t, db, "SELECT count(*) FROM things"))
	stored, err := pgsession.Copy(t.Context(), c, "", copyThings, numbered(3, "good"))
	require.NoError(t, err, "an error of the server does not end the session")
	require.Equal(t, 3, stored)
}

func TestCopyAndQuery_PrologueLastsOneTransaction(t *testing.T) {
	db := open(t, servers.Database(t))
	do(t, db, "CREATE TABLE things (id uuid, name text DEFAULT current_setting('lock_timeout'))")
	c := conn(t, db)
	lockTimeout := func() (s string) {
		require.NoError(t, c.QueryRowContext(t.Context(), "SHOW lock_timeout").Scan(&s))
		return s
	}
	const prologue = "SELECT set_config('lock_timeout', '1234ms', true)"
	_, err := pgsession.Copy(t.Context(), c, prologue, "COPY things (id) FROM STDIN (FORMAT binary)", pgsession.Rows{
		Len: 1, Columns: 1, Size: func(int) int { return pgsession.UUIDSize },
		Append: func(dst []byte, _ int) []byte { return pgsession.AppendUUID(dst, [16]byte{15: 1}) },
	})
	require.NoError(t, err)
	require.Equal(t, "1234ms", ask[string](t, db, "SELECT name FROM things"))
	require.Equal(t, "10s", lockTimeout())

	var seen []string
	err = pgsession.Query(t.Context(), c, prologue, "SELECT current_setting('lock_timeout')", nil, func(columns [][]byte) error {
		seen = append(seen, string(columns[0]))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"1234ms"}, seen)
	require.Equal(t, "10s", lockTimeout())
}

func TestQuery_ArraysArriveAsTheyWere(t *testing.T) {
	db := open(t, servers.Database(t))
	names := []string{"", "NULL", `{"a","b"}`, "it's", "é 😀", strings.Repeat("y", 1<<20), strings.Repeat("z", 3<<20)}
	at := time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	var lengths []string
	err := pgsession.Query(t.Context(), conn(t, db), "",
		"SELECT length(name)::text, md5(name), (extract(epoch FROM at) * 1000000)::bigint::text FROM unnest($1::text[], $2::timestamptz[]) AS t (name, at)",
		[]pgsession.Array{
			{Type: pgsession.Texts, Len: len(names), Size: func(i int) int { return pgsession.TextSize + len(names[i]) },
				Append: func(dst []byte, i int) []byte { return pgsession.AppendText(dst, names[i]) }},
			{Type: pgsession.Timestamps, Len: len(names), Size: func(int) int { return pgsession.TimestampSize },
				Append: func(dst []byte, _ int) []byte { return pgsession.AppendTimestamp(dst, at) }},
		}, func(columns [][]byte) error {
			lengths = append(lengths, string(columns[0]))
			require.Equal(t, strconv.FormatInt(at.UnixMicro(), 10), string(columns[2]))
			require.Len(t, columns[1], 32)
			return nil
		})
	require.NoError(t, err)
	require.Equal(t, []string{"0", "4", "9", "4", "3", "1048576", "3145728"}, lengths)
}

func TestSession_EndsWithItsContext(t *testing.T) {
	url := servers.Database(t)
	db := open(t, url, func(c *pgsession.Config) { c.ApplicationName = "waiting" })
	watcher := open(t, url)
	for name, statement := range map[string]func(ctx context.Context) error{
		"Exec": func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "SELECT pg_sleep(60)")
			return err
		},
		"Query": func(ctx context.Context) error {
			return pgsession.Query(ctx, conn(t, db), "", "SELECT pg_sleep(60)", nil, func([][]byte) error { return nil })
		},
		"rows": func(ctx context.Context) error {
			rows, err := db.QueryContext(ctx, "SELECT 1 UNION ALL SELECT CASE WHEN pg_sleep(60) IS NULL THEN 0 ELSE 2 END")
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
			}
			return rows.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error, 1)
			go func() { result <- statement(ctx) }()
			require.Eventually(t, func() bool {
				return ask[bool](t, watcher, "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'waiting' AND wait_event = 'PgSleep'")
			}, 20*time.Second, 10*time.Millisecond)
			cancel()
			select {
			case err := <-result:
				require.ErrorIs(t, err, context.Canceled)
			case <-time.After(20 * time.Second):
				t.Fatal("the statement is still waited for")
			}
			do(t, watcher, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waiting'")
		})
	}
}

func TestConnector_SendsSettingsWithTheStartupMessage(t *testing.T) {
	url := servers.Database(t)
	admin := open(t, url)
	name := ask[string](t, admin, "SELECT current_database()")
	for _, s := range []string{
		"client_encoding = 'LATIN1'", "standard_conforming_strings = off", "DateStyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'",
		"default_transaction_isolation = 'serializable'", "statement_timeout = 1", "lock_timeout = 1",
	} {
		do(t, admin, "ALTER DATABASE "+name+" SET "+s)
	}
	c := connector(t, url+"&application_name=a+b&search_path=public,pg_catalog")
	db := sql.OpenDB(c)
	defer func() { require.NoError(t, db.Close()) }()
	for setting, want := range map[string]string{
		"client_encoding": "UTF8", "standard_conforming_strings": "on", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
		"application_name": "a b", "search_path": "public,pg_catalog", "default_transaction_isolation": "read committed",
		"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min",
		"client_connection_check_interval": "5s", "tcp_keepalives_idle": "15",
	} {
		require.Equal(t, want, ask[string](t, db, "SELECT current_setting('"+setting+"')"), setting)
	}
	require.False(t, pgsession.OnlyNeeded(c))
}

// A server that refuses a setting is reached without it, one that refuses more
// with what the driver cannot do without.
func TestConnector_GoesOnWithoutSettingsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		refuse, query string
		onlyNeeded    bool
		says          string
	}{
		"none":                     {refuse: "none"},
		"only the last":            {refuse: "client_connection_check_interval"},
		"only the last, with path": {refuse: "client_connection_check_interval", query: "&search_path=a"},
		"all but the needed":       {refuse: "lock_timeout", onlyNeeded: true},
		"a search path":            {refuse: "lock_timeout", query: "&search_path=a", says: "ALTER ROLE"},
		"what is needed":           {refuse: "client_encoding", says: "unsupported startup parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			connector := connector(t, refuser(t, c.refuse)+c.query)
			db := sql.OpenDB(connector)
			defer func() { require.NoError(t, db.Close()) }()
			for range 2 {
				conn, err := db.Conn(t.Context())
				if c.says != "" {
					require.ErrorContains(t, err, c.says)
					require.Equal(t, "08P01", pgsession.State(err))
					continue
				}
				require.NoError(t, err)
				require.NoError(t, conn.Close())
			}
			require.Equal(t, c.onlyNeeded, pgsession.OnlyNeeded(connector))
		})
	}
}

// refuser is a server that refuses start-up messages with a setting, as
// PgBouncer does, and returns its URL.
func refuser(t *testing.T, setting string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			n, _ := c.Read(buf)
			if strings.Contains(string(buf[:n]), "\x00"+setting+"\x00") {
				body := "SFATAL\x00C08P01\x00Munsupported startup parameter: " + setting + "\x00\x00"
				_, _ = fmt.Fprintf(c, "E\x00\x00\x00%c%s", 4+len(body), body)
			} else {
				_, _ = c.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I"))
				_, _ = c.Read(buf) // until the client goes
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { require.NoError(t, l.Close()); <-done })
	return "postgres://u@" + l.Addr().String() + "/db?sslmode=disable"
}

// The driver forgets a connection it could not log in on.
func TestConnector_ClosesAFailedLogin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	gone := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			gone <- err
			return
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 1024)
		_, _ = conn.Read(buf)                                              // the start-up message
		_, _ = conn.Write([]byte("E\x00\x00\x00\x0fSFATAL\x00C53300\x00")) // and a little too little
		for err == nil {
			_, err = conn.Read(buf)
		}
		gone <- err
	}()
	db := open(t, "postgres://u@"+l.Addr().String()+"/db?sslmode=disable", func(c *pgsession.Config) { c.ConnectTimeout = 300 * time.Millisecond })
	require.ErrorIs(t, db.PingContext(t.Context()), context.DeadlineExceeded)
	require.ErrorContains(t, <-gone, "EOF")
}
