package servers

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
	"golang.org/x/sys/unix"
)

const installPostgres = "the package postgresql (PostgreSQL 14 or later)"

// PostgresServer is a PostgreSQL of one's own. Its address and data stay the
// same through every stop and start. Methods are not safe for concurrent use;
// errors of one made by [Postgres] also fail its test.
type PostgresServer struct {
	verbs
	postgres, initdb string
	cred             *syscall.Credential
	settings         []string
}

// Postgres starts a PostgreSQL of one's own that ends with the test. Each
// setting is "name=value" and wins over what tests get otherwise, such as
// fsync=off.
func Postgres(tb testing.TB, settings ...string) *PostgresServer {
	tb.Helper()
	SkipShort(tb)
	s, err := NewPostgres("", settings...)
	if err != nil {
		tb.Fatalf("postgres: %v", err)
	}
	s.attach(tb)
	if err := s.Start(); err != nil {
		tb.FailNow() // reported by Start
	}
	return s
}

// NewPostgres prepares a PostgreSQL that keeps its data in dir, for use
// outside of tests; an empty dir means a throw-away one that Close removes.
// When run by root the server becomes another user, who must be able to
// traverse dir. It does not start it; the first Start makes the cluster.
func NewPostgres(dir string, settings ...string) (*PostgresServer, error) {
	s := &PostgresServer{settings: settings}
	var err error
	if s.postgres, err = findBinary("postgres", installPostgres, postgresDirs()...); err != nil {
		return nil, err
	}
	if s.initdb, err = findBinary("initdb", installPostgres, postgresDirs()...); err != nil {
		return nil, err
	}
	if s.cred, err = unprivileged(); err != nil {
		return nil, err
	}
	if err := s.settle(dir, "postgres"); err != nil {
		return nil, err
	}
	s.graceful = syscall.SIGINT // "fast": sessions are ended, not waited for
	s.launch = s.run
	return s, nil
}

// URL returns the address of the database "postgres", as its superuser,
// without TLS.
func (s *PostgresServer) URL() string { return s.DatabaseURL("postgres") }

// DatabaseURL returns the address of a database by its name.
func (s *PostgresServer) DatabaseURL(name string) string {
	return "postgres://postgres@" + s.Addr() + "/" + name + "?sslmode=disable"
}

// DataDir returns the cluster's directory, for tests that put certificates
// there or fill the disk under it.
func (s *PostgresServer) DataDir() string { return filepath.Join(s.dir, dataName) }

// Own gives a file to the user that the server runs as.
func (s *PostgresServer) Own(path string) error {
	if s.cred == nil {
		return nil
	}
	return os.Chown(path, int(s.cred.Uid), int(s.cred.Gid))
}

// CreateDatabase makes an empty database and returns its address.
func (s *PostgresServer) CreateDatabase(ctx context.Context, name string) (string, error) {
	if err := s.exec(ctx, fmt.Sprintf(`CREATE DATABASE %q`, name)); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	return s.DatabaseURL(name), nil
}

// DropDatabase removes a database, sessions in it or not.
func (s *PostgresServer) DropDatabase(ctx context.Context, name string) error {
	if err := s.exec(ctx, fmt.Sprintf(`DROP DATABASE IF EXISTS %q WITH (FORCE)`, name)); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func (s *PostgresServer) exec(ctx context.Context, query string) error {
	db := s.connect(time.Minute)
	_, err := db.ExecContext(ctx, query)
	return errors.Join(err, db.Close())
}

func (s *PostgresServer) connect(timeout time.Duration) *sql.DB {
	return sql.OpenDB(pgdriver.NewConnector(
		pgdriver.WithAddr(s.Addr()), pgdriver.WithUser("postgres"), pgdriver.WithDatabase("postgres"),
		pgdriver.WithInsecure(true), pgdriver.WithTimeout(timeout),
	))
}

func (s *PostgresServer) run() (*process, error) {
	if err := s.ensureCluster(); err != nil {
		return nil, err
	}
	argv := []string{s.postgres, "-D", s.DataDir()}
	settings := append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.port), "unix_socket_directories=",
		"fsync=off", "shared_buffers=64MB", "max_connections=100", "timezone=UTC", "log_timezone=UTC",
		"log_line_prefix=%m [%p] %q%a ", "log_checkpoints=off",
	}, s.settings...)
	for _, setting := range settings {
		argv = append(argv, "-c", setting)
	}
	p, err := startProcess(argv, s.DataDir(), s.logPath, s.cred)
	if err != nil {
		return nil, err
	}
	return p, s.awaitReady(p, s.ready)
}

// ready asks the server at our port for its directory: somebody else's may
// have taken the port.
func (s *PostgresServer) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	db := s.connect(2 * time.Second)
	defer func() { _ = db.Close() }()
	var dir string
	if err := db.QueryRowContext(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		return err
	}
	if dir != s.DataDir() {
		return fmt.Errorf("another server answers at %s", s.Addr())
	}
	return nil
}

// ensureCluster runs initdb unless the directory holds a cluster already.
func (s *PostgresServer) ensureCluster() error {
	data := s.DataDir()
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return nil
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := s.Own(data); err != nil {
		return fmt.Errorf("give data directory to its user: %w", err)
	}
	p, err := startProcess([]string{
		s.initdb, "-D", data, "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
	}, data, s.logPath, s.cred)
	if err != nil {
		return err
	}
	if !p.wait(startTimeout) {
		return errors.Join(fmt.Errorf("initdb takes longer than %v", startTimeout), p.kill())
	}
	if _, err := p.exited(); err != nil {
		return fmt.Errorf("initdb: %w; it said:\n%s", err, s.Log())
	}
	return nil
}

// releaseSharedMemory removes the System V segment that a killed PostgreSQL
// leaves behind: a few bytes, but the machine has only so many segments.
func releaseSharedMemory(dataDir string) {
	b, err := os.ReadFile(filepath.Join(dataDir, "postmaster.pid"))
	if err != nil {
		return // ended in order, or no PostgreSQL
	}
	lines := bytes.Split(b, []byte("\n"))
	const keyAndID = 6
	if len(lines) <= keyAndID {
		return
	}
	f := strings.Fields(string(lines[keyAndID]))
	if len(f) != 2 {
		return
	}
	if id, err := strconv.Atoi(f[1]); err == nil {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	}
}
