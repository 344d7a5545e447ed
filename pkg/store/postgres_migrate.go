package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// migrationLock is the advisory lock under which the schema of a database
	// is changed. The number means nothing and must never change.
	migrationLock     = 0x6576656e7470756c // "eventpul"
	migrationLockPoll = 100 * time.Millisecond
	// migrationLockNotice is how long the lock is waited for in silence, and
	// how often the waiting is said from then on.
	migrationLockNotice, migrationLockReminder = time.Second, 30 * time.Second
	// migrationLockTimeout is how long it is waited for at all.
	migrationLockTimeout = 5 * time.Minute
)

// migrating takes a lock that lasts as long as a transaction of its own: it
// goes with the connection, however the process ends, and a connection pooler
// cannot leave it behind on a session that somebody else gets
// (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS).
func (p *postgres) migrating(ctx context.Context) (*migrationRun, error) {
	db := p.open(2, 0)
	db.SetConnMaxIdleTime(0)
	db.SetConnMaxLifetime(0)
	lock, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	watch := p.watchMigration(ctx)
	run := &migrationRun{db: db}
	run.begun = func(ctx context.Context, tx bun.IConn) error {
		// There is no time limit on a statement, an index takes what it takes;
		// but whoever waits for a table's lock makes everybody else wait behind.
		_, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = %d", p.cfg.LockTimeout.Milliseconds()))
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&watch.pid)
	}
	run.close = func() error {
		watch.stop()
		err := lock.Rollback()
		if errors.Is(err, sql.ErrTxDone) { // the context ended
			err = nil
		}
		return errors.Join(err, db.Close())
	}
	if err := p.lockMigrations(ctx, lock); err != nil {
		return nil, errors.Join(err, run.close())
	}
	return run, nil
}

// lockMigrations tries again and again instead of queueing: a session that
// waits inside a statement would hold up CREATE INDEX CONCURRENTLY by another.
func (p *postgres) lockMigrations(ctx context.Context, tx bun.Tx) error {
	// It is idle while migrations run on another connection.
	if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return err
	}
	tick := time.NewTicker(migrationLockPoll)
	defer tick.Stop()
	notice, end := time.NewTimer(migrationLockNotice), time.NewTimer(p.lockWait)
	defer notice.Stop()
	defer end.Stop()
	for busy := false; ; busy = true {
		var locked bool
		err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock(?)", int64(migrationLock)).Scan(&locked)
		if locked || err != nil && (!busy || ctx.Err() == nil) {
			return err
		}
		select {
		case <-ctx.Done():
			return event.Unavailable("another process is migrating this database", ctx.Err())
		case <-end.C:
			return event.Unavailable(fmt.Sprintf("another process is migrating this database, waited %v for %s",
				p.lockWait, p.migrationLockHolder(ctx, tx)), nil)
		case <-notice.C:
			p.log.Warn("waiting for another process that is migrating this database", "holder", p.migrationLockHolder(ctx, tx))
			notice.Reset(migrationLockReminder)
		case <-tick.C:
		}
	}
}

// holderStatement says who holds an advisory lock of 64 bits, whose halves are
// in classid and objid: https://www.postgresql.org/docs/current/view-pg-locks.html .
const holderStatement = `SELECT format('session %s of %s, application %s at %s, %s for %s s',
  l.pid, coalesce(a.usename, 'unknown'), coalesce(nullif(a.application_name, ''), 'unknown'), coalesce(host(a.client_addr), 'this machine'),
  coalesce(a.state, 'unknown'), coalesce(extract(epoch FROM clock_timestamp() - a.state_change)::int::text, 'unknown'))
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = (?0::bigint >> 32)::oid AND l.objid = (?0::bigint & 4294967295)::oid`

// migrationLockHolder names the session that holds the lock, and what to do
// when nothing is migrating in it.
func (p *postgres) migrationLockHolder(ctx context.Context, tx bun.Tx) string {
	var holder string
	if err := tx.QueryRowContext(ctx, holderStatement, int64(migrationLock)).Scan(&holder); err != nil {
		return "a session that ended just now"
	}
	return holder + " (SELECT pg_terminate_backend(…) ends it)"
}
