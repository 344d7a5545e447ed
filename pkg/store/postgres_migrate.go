package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/eventpulse/eventpulse/pkg/event"
)

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
	db := p.open(2, 0)
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
