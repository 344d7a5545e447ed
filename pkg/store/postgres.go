package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/eventpulse/eventpulse/migrations"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

const (
	maxIdleTime = 5 * time.Minute
	// maxLifetime lets connections follow a database that moved to another
	// address behind the same name.
	maxLifetime = 30 * time.Minute
)

// postgres is the backend for PostgreSQL, 14 or later.
type postgres struct {
	endpoint pgsession.Endpoint
	cfg      Config
	log      *slog.Logger
	db       *bun.DB
	// settings is a statement that sets what a transaction depends on.
	settings string
	copying  copyPolicy
	// lockWait is how long migrations wait for those of another process.
	lockWait time.Duration
}

var _ backend = (*postgres)(nil)

func openPostgres(cfg Config, log *slog.Logger) (*postgres, error) {
	e, err := parsePostgresURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	p := &postgres{endpoint: e, cfg: cfg, log: log, settings: transactionSettings(cfg), lockWait: migrationLockTimeout}
	p.db = p.open(cfg.MaxConnections, cfg.StatementTimeout)
	return p, nil
}

// open makes a pool of connections on which a statement may take so long, 0 for
// ever.
func (p *postgres) open(connections int, statementTimeout time.Duration) *bun.DB {
	db := sql.OpenDB(pgsession.NewConnector(pgsession.Config{
		Endpoint: p.endpoint, ApplicationName: "eventpulse", ConnectTimeout: p.cfg.ConnectTimeout,
		StatementTimeout: statementTimeout, LockTimeout: p.cfg.LockTimeout,
	}))
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(maxIdleTime)
	db.SetConnMaxLifetime(maxLifetime)
	return bun.NewDB(db, pgdialect.New())
}

// transactionSettings is a statement that goes before each one that stores, in
// its transaction, and sets what must hold there whatever the session began
// with: behind a connection pooler it may be anybody's.
//
// With synchronous_commit off a commit is answered before it is on disk, and
// the event is acknowledged on the strength of it. The stronger levels stay as
// the operator chose them. Parameters of a statement that fails are content,
// and content is not for the server's log.
func transactionSettings(cfg Config) string {
	return fmt.Sprintf("SELECT set_config('statement_timeout', '%d', true), set_config('lock_timeout', '%d', true), "+
		"set_config('log_parameter_max_length_on_error', '0', true), "+
		"CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END",
		cfg.StatementTimeout.Milliseconds(), cfg.LockTimeout.Milliseconds())
}

func (p *postgres) database() *bun.DB { return p.db }

// findStatement asks for instants as numbers, which need no format for years
// that have none.
const findStatement = `SELECT event_id::text, event_type, source, (extract(epoch FROM "timestamp") * 1000000)::bigint, ` +
	`payload::text, metadata::text FROM events WHERE event_id = ANY(?::uuid[])`

func (p *postgres) find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	rows, err := p.db.QueryContext(ctx, findStatement, pgdialect.Array(texts(ids)))
	return scanEvents(rows, err, func(micros int64) (time.Time, error) { return time.UnixMicro(micros).UTC(), nil })
}

func (p *postgres) migrations() (fs.FS, error) { return migrations.Postgres() }

func (p *postgres) hasTable(ctx context.Context, db *bun.DB, table string) (bool, error) {
	var exists bool
	err := db.QueryRowContext(ctx, "SELECT to_regclass(?) IS NOT NULL", table).Scan(&exists)
	return exists, err
}
