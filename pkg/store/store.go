package store

import (
	"context"
	"io/fs"
	"log/slog"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/eventpulse/eventpulse/pkg/event"
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
	// database returns the pool of connections that the backend uses.
	database() *bun.DB
	// insert stores the events, all or none of them but for those it returns,
	// and returns once they are durable. The events are in the order of their
	// ids, each there once.
	insert(ctx context.Context, events []*event.Event) (notInserted, error)
	// find returns which of the events with these ids are stored, in any order.
	find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error)
	// inspect fills in what the database is like, even if it returns an error
	// as far as it got.
	inspect(ctx context.Context, info *Info) error
	// problems returns what keeps events from being stored, where the schema
	// is up to date.
	problems(ctx context.Context) ([]Problem, error)
	// classify says what an error means and who must act on it.
	classify(operation string, err error) *event.Error
	// migrations returns the SQL of the schema.
	migrations() (fs.FS, error)
	// migrating opens what migrations run on, alone among all processes for
	// as long as it is open.
	migrating(ctx context.Context) (*migrationRun, error)
	// hasTable reports whether a table exists, without creating anything.
	hasTable(ctx context.Context, db *bun.DB, table string) (bool, error)
}

// Open prepares a store. It does not dial: a database that is away shows when
// the store is used. Metrics go to reg, which may be nil.
func Open(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b, err := openBackend(cfg, log)
	if err != nil {
		return nil, err
	}
	db := b.database()
	return &Store{db: db, backend: b, log: log, metrics: newMetrics(reg, db.DB)}, nil
}

func openBackend(cfg Config, log *slog.Logger) (backend, error) {
	if path, ok := sqlitePath(cfg.URL); ok {
		return openSQLite(path)
	}
	return openPostgres(cfg, log)
}

// Ping asks the database for a sign of life; the error is of KindUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return s.failed("ping the database", err)
	}
	return nil
}

// Count returns how many events are stored. It reads the whole table.
func (s *Store) Count(ctx context.Context) (int64, error) {
	var n int64
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&n); err != nil {
		return 0, s.failed("count events", err)
	}
	return n, nil
}

// Close closes the connections, after the statements that are running on them.
func (s *Store) Close() error { return s.db.Close() }
