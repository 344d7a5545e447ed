package store

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	maxIdleTime = 5 * time.Minute
	// maxLifetime lets connections follow a database that moved to another
	// address behind the same name.
	maxLifetime = 30 * time.Minute
)

// Store keeps events in a database. It is safe for concurrent use.
type Store struct {
	db      *bun.DB
	backend backend
	log     *slog.Logger
	metrics *metrics
}

// backend is what differs between the databases.
type backend interface {
	// insert stores the rows, all or none of them, and once they are durable
	// returns the indexes of those that were there before, in any order. The
	// rows are in the order of their ids, each there once.
	insert(ctx context.Context, db *bun.DB, rows []row) (duplicates []int, err error)
	// find returns which of the events with these ids are stored, in any order.
	find(ctx context.Context, db *bun.DB, ids []string) ([]event.Event, error)
	// classify says what an error means and who must act on it.
	classify(operation string, err error) *event.Error
	// migrations returns the SQL of the schema.
	migrations() (fs.FS, error)
	// migrating opens what migrations run on, alone among all processes for
	// as long as it is open, and a function that closes it.
	migrating(ctx context.Context) (*bun.DB, func() error, error)
	// hasTable reports whether a table exists, without creating anything.
	hasTable(ctx context.Context, db *bun.DB, table string) (bool, error)
}

// Open prepares a store. It does not dial: a database that is away shows when
// the store is used. Metrics go to reg, which may be nil.
func Open(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{log: log}
	var err error
	if path, ok := sqlitePath(cfg.URL); ok {
		s.db, s.backend, err = openSQLite(path, cfg)
	} else {
		s.db, s.backend, err = openPostgres(cfg, log)
	}
	if err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(reg, s.db.DB); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// Ping asks the database for a sign of life; the error is of KindUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return s.backend.classify("ping the database", err)
	}
	return nil
}

// Count returns how many events are stored. It reads the whole table.
func (s *Store) Count(ctx context.Context) (int64, error) {
	var n int64
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
		return 0, s.backend.classify("count events", err)
	}
	return n, nil
}

// Close closes the connections, after the statements that are running on them.
func (s *Store) Close() error { return s.db.Close() }
