package servers

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// PgBouncerServer is a connection pooler of one's own in front of a
// PostgreSQL. Methods are not safe for concurrent use; errors also fail the
// test.
type PgBouncerServer struct {
	verbs
	bin      string
	target   *url.URL
	cred     *syscall.Credential
	settings []string
}

// PgBouncer starts a PgBouncer in front of the PostgreSQL at a URL, such as
// [Database] returns; it ends with the test. It pools transactions, for every
// database of that server, and lets in the users "postgres" and that of the
// URL without a password. Each setting is "name = value" and wins over what it
// has otherwise.
func PgBouncer(tb testing.TB, target string, settings ...string) *PgBouncerServer {
	tb.Helper()
	SkipShort(tb)
	s := &PgBouncerServer{settings: settings}
	var err error
	if s.bin, err = findBinary("pgbouncer", "the package pgbouncer", "/usr/sbin"); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	if s.target, err = url.Parse(target); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	if s.cred, err = unprivileged(); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	if err := s.settle("", "pgbouncer"); err != nil {
		tb.Fatalf("pgbouncer: %v", err)
	}
	s.graceful = syscall.SIGINT
	s.launch = s.run
	s.attach(tb)
	if err := s.Start(); err != nil {
		tb.FailNow() // reported by Start
	}
	return s
}

// URL returns the address of the database of the URL that PgBouncer was
// started with, through the pooler.
func (s *PgBouncerServer) URL() string {
	u := *s.target
	u.Host = s.Addr()
	return u.String()
}

func (s *PgBouncerServer) run() (*process, error) {
	data := filepath.Join(s.dir, dataName)
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	config, users := filepath.Join(data, "pgbouncer.ini"), filepath.Join(data, "users.txt")
	lines := append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%s", s.target.Hostname(), s.target.Port()),
		"[pgbouncer]",
		"listen_addr = 127.0.0.1", fmt.Sprintf("listen_port = %d", s.port), "unix_socket_dir =",
		"auth_type = trust", "auth_file = " + users, "pool_mode = transaction", "admin_users = postgres",
	}, s.settings...)
	for path, text := range map[string]string{
		config: strings.Join(lines, "\n") + "\n",
		users:  fmt.Sprintf("\"postgres\" \"\"\n%q \"\"\n", s.target.User.Username()),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("configure: %w", err)
		}
	}
	p, err := startProcess([]string{s.bin, config}, data, s.logPath, s.cred)
	if err != nil {
		return nil, err
	}
	return p, s.awaitReady(p, s.ready)
}

// ready asks the pooler for its configuration: somebody else's may have taken
// the port.
func (s *PgBouncerServer) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	db := sql.OpenDB(pgdriver.NewConnector(
		pgdriver.WithAddr(s.Addr()), pgdriver.WithUser("postgres"), pgdriver.WithDatabase("pgbouncer"),
		pgdriver.WithInsecure(true), pgdriver.WithTimeout(2*time.Second),
	))
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(ctx, "SHOW CONFIG")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	want := filepath.Join(s.dir, dataName, "pgbouncer.ini")
	for rows.Next() {
		var key, value, standard, changeable sql.NullString
		if err := rows.Scan(&key, &value, &standard, &changeable); err != nil {
			return err
		}
		if key.String == "conffile" && value.String == want {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return fmt.Errorf("another server answers at %s", s.Addr())
}
