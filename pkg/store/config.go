package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

// Config is where and how events are stored.
type Config struct {
	// URL is postgres://user:password@host:port/database?sslmode=… or
	// sqlite:PATH.
	URL string `config:"url" secret:"url" usage:"database to store events in: postgres://user:password@host:port/name?sslmode=verify-full, or sqlite:PATH"`
	// MaxConnections bounds the connections of this process. SQLite always
	// has one.
	MaxConnections int `config:"max_connections" usage:"most connections to the database that one process holds"`
	// ConnectTimeout bounds making one connection, TLS and login included.
	ConnectTimeout time.Duration `config:"connect_timeout" usage:"longest wait for a new connection to the database"`
	// StatementTimeout is when the server cancels a statement.
	StatementTimeout time.Duration `config:"statement_timeout" usage:"longest that the database may work on one statement"`
	// LockTimeout is when the server stops waiting for one lock.
	LockTimeout time.Duration `config:"lock_timeout" usage:"longest that a statement may wait for a lock in the database"`
}

// DefaultConfig returns the configuration that an operator starts from: a
// PostgreSQL on this machine.
func DefaultConfig() Config {
	return Config{
		URL:              "postgres://eventpulse@localhost:5432/eventpulse",
		MaxConnections:   8,
		ConnectTimeout:   5 * time.Second,
		StatementTimeout: 30 * time.Second,
		LockTimeout:      10 * time.Second,
	}
}

// Validate reports everything that is wrong, each with its key, and never a
// password. It reads the certificate files that the URL names.
func (c Config) Validate() error {
	var errs []error
	if c.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("database.max_connections is %d: at least 1", c.MaxConnections))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"connect_timeout", c.ConnectTimeout},
		{"statement_timeout", c.StatementTimeout},
		{"lock_timeout", c.LockTimeout},
	} {
		// To PostgreSQL, whose unit is the millisecond, 0 means for ever.
		if d.value < time.Millisecond {
			errs = append(errs, fmt.Errorf("database.%s is %v: at least 1ms", d.key, d.value))
		}
	}
	if _, ok := sqlitePath(c.URL); !ok {
		if _, err := parsePostgresURL(c.URL); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parsePostgresURL reads a connection URL. The error begins with its key and
// never holds a password.
func parsePostgresURL(url string) (pgsession.Endpoint, error) {
	scheme, _, _ := strings.Cut(strings.TrimSpace(url), "://")
	switch strings.ToLower(strings.TrimLeft(scheme, "\"'")) {
	case "":
		return pgsession.Endpoint{}, errors.New("database.url is not set: postgres://… or sqlite:PATH")
	case "postgres", "postgresql":
	default:
		return pgsession.Endpoint{}, errors.New("database.url is neither postgres://… nor sqlite:PATH")
	}
	e, err := pgsession.ParseURL(url)
	if err != nil {
		return e, fmt.Errorf("database.url: %w", err)
	}
	return e, nil
}

// sqlitePath returns the file of an sqlite: URL.
func sqlitePath(url string) (string, bool) {
	path, ok := strings.CutPrefix(strings.TrimSpace(url), "sqlite:")
	if !ok || path == "" {
		return "", false
	}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		path = rest // sqlite:///var/lib/x and sqlite:/var/lib/x are the same file
	}
	return path, path != ""
}
