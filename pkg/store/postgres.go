package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/eventpulse/eventpulse/migrations"
	"github.com/eventpulse/eventpulse/pkg/event"
)

type postgres struct {
	endpoint endpoint
	cfg      Config
	log      *slog.Logger
	copying  copyPolicy
}

var _ backend = (*postgres)(nil)

func openPostgres(cfg Config, log *slog.Logger) (*bun.DB, backend, error) {
	e, err := parsePostgresURL(cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	p := &postgres{endpoint: e, cfg: cfg, log: log}
	limits := sessionLimits{statement: cfg.StatementTimeout, lock: cfg.LockTimeout}
	return p.pool(cfg.MaxConnections, limits), p, nil
}

func (p *postgres) pool(connections int, limits sessionLimits) *bun.DB {
	db := sql.OpenDB(newPgConnector(p.endpoint, p.cfg.ConnectTimeout, limits))
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(maxIdleTime)
	db.SetConnMaxLifetime(maxLifetime)
	return bun.NewDB(db, pgdialect.New())
}

// findEvents asks for instants as numbers, which need no format for years that
// have none.
const findEvents = `SELECT event_id::text, event_type, source, (extract(epoch FROM "timestamp") * 1000000)::bigint, ` +
	`payload::text, metadata::text FROM events WHERE event_id = ANY(?::uuid[])`

func (p *postgres) find(ctx context.Context, db *bun.DB, ids []string) ([]event.Event, error) {
	rows, err := db.QueryContext(ctx, findEvents, pgdialect.Array(ids))
	return scanEvents(rows, err, func(micros int64) (time.Time, error) { return time.UnixMicro(micros).UTC(), nil })
}

func (p *postgres) migrations() (fs.FS, error) { return migrations.Postgres() }

func (p *postgres) hasTable(ctx context.Context, db *bun.DB, table string) (bool, error) {
	var exists bool
	err := db.QueryRowContext(ctx, "SELECT to_regclass(?) IS NOT NULL", table).Scan(&exists)
	return exists, err
}

// migrationLock is the advisory lock under which the schema of a database is
// changed. The number means nothing and must never change.
const (
	migrationLock     = 0x6576656e7470756c // "eventpul"
	migrationLockPoll = 100 * time.Millisecond
)

// migrating takes a lock that belongs to a session of its own: it goes with
// the connection, however the process ends. There is no time limit on a
// statement, an index takes what it takes; the one on locks stays, because
// whoever waits for a table's lock makes everybody else wait behind.
func (p *postgres) migrating(ctx context.Context) (*bun.DB, func() error, error) {
	db := p.pool(2, sessionLimits{lock: p.cfg.LockTimeout})
	db.SetConnMaxIdleTime(0)
	db.SetConnMaxLifetime(0)
	lock, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	closeAll := func() error { return errors.Join(lock.Close(), db.Close()) }
	if err := waitForLock(ctx, lock); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return db, closeAll, nil
}

// waitForLock tries again and again instead of queueing: a session that waits
// inside a statement would hold up CREATE INDEX CONCURRENTLY by another.
func waitForLock(ctx context.Context, conn bun.Conn) error {
	tick := time.NewTicker(migrationLockPoll)
	defer tick.Stop()
	for busy := false; ; busy = true {
		var locked bool
		err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(?)", int64(migrationLock)).Scan(&locked)
		if locked || err != nil && (!busy || ctx.Err() == nil) {
			return err
		}
		select {
		case <-ctx.Done():
			return event.Unavailable("another process is migrating this database", ctx.Err())
		case <-tick.C:
		}
	}
}
