package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// shared is the PostgreSQL of this test binary: starting one takes a second,
// making a database in it a fraction of that. It is package state because the
// tests of a binary share nothing else.
var shared struct {
	sync.Mutex
	mainRuns bool
	server   *PostgresServer
	err      error
	count    int
}

// Main runs the tests of a package, then stops the shared PostgreSQL and
// fails when a goroutine is left behind. It returns the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }
func Main(m *testing.M, ignore ...goleak.Option) int {
	shared.Lock()
	shared.mainRuns = true
	shared.Unlock()

	code := m.Run()

	shared.Lock()
	server := shared.server
	shared.server, shared.err = nil, errors.New("the tests are over")
	shared.Unlock()
	if server != nil {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "servers: stop the shared PostgreSQL:", err)
			code = max(code, 1)
		}
	}
	if code == 0 {
		if err := goleak.Find(ignore...); err != nil {
			fmt.Fprintln(os.Stderr, "servers:", err)
			code = 1
		}
	}
	return code
}

// Database returns the URL of a fresh, empty database that is dropped when
// the test ends, on a PostgreSQL shared by all tests of the binary: do not
// kill that one, see [Postgres].
func Database(tb testing.TB) string {
	tb.Helper()
	SkipShort(tb)
	server, name, err := sharedServer()
	if err != nil {
		tb.Fatalf("shared PostgreSQL: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	url, err := server.CreateDatabase(ctx, name)
	if err != nil {
		tb.Fatalf("shared PostgreSQL: %v; it said:\n%s", err, server.Log())
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.DropDatabase(ctx, name); err != nil {
			tb.Errorf("shared PostgreSQL: %v", err)
		}
		if tb.Failed() {
			tb.Logf("the shared PostgreSQL said:\n%s", server.Log())
		}
	})
	return url
}

// SkipShort leaves the test out under -short: it needs a server. `make check`
// counts these tests and says so, `make test` runs them.
func SkipShort(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("left out by -short: it needs a server")
	}
}

// sharedServer returns the shared PostgreSQL, started by the first who asks,
// and a database name that is new there.
func sharedServer() (*PostgresServer, string, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.mainRuns {
		return nil, "", errors.New("call servers.Main from TestMain, or nobody stops it")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = startShared()
	}
	if shared.err != nil {
		return nil, "", shared.err
	}
	shared.count++
	return shared.server, fmt.Sprintf("test_%d", shared.count), nil
}

func startShared() (*PostgresServer, error) {
	s, err := NewPostgres("")
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
