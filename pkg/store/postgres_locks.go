package store

import (
	"context"
	"sync/atomic"
	"time"
)

// lockWatch says for whom a migration waits that waits for a lock.
type lockWatch struct {
	pid  pidValue
	stop func()
}

// pidValue is the process of a session, 0 while there is none. It is safe for
// concurrent use.
type pidValue struct{ atomic.Int64 }

// Scan implements sql.Scanner.
func (p *pidValue) Scan(value any) error {
	if n, ok := value.(int64); ok {
		p.Store(n)
	}
	return nil
}

// blockersStatement says who holds what a session waits for.
const blockersStatement = `SELECT format('session %s of %s, application %s, %s for %s s',
  a.pid, coalesce(a.usename, 'unknown'), coalesce(nullif(a.application_name, ''), 'unknown'),
  coalesce(a.state, 'unknown'), coalesce(extract(epoch FROM clock_timestamp() - a.state_change)::int::text, 'unknown'))
FROM pg_stat_activity a WHERE a.pid = ANY(pg_blocking_pids(?::int)) ORDER BY a.pid LIMIT 1`

// watchMigration looks every second whether the session of a migration waits for
// a lock, and logs once for each holder who that is. It asks on the connections
// of the store, so that nothing it does can end the transaction with the lock.
func (p *postgres) watchMigration(ctx context.Context) *lockWatch {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	w := &lockWatch{stop: func() { cancel(); <-done }}
	go func() {
		defer close(done)
		tick := time.NewTicker(migrationLockNotice)
		defer tick.Stop()
		for logged := ""; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			pid := w.pid.Load()
			if pid == 0 {
				continue
			}
			var holder string
			if p.db.QueryRowContext(ctx, blockersStatement, pid).Scan(&holder) == nil && holder != logged {
				p.log.Warn("the migration waits for a lock", "holder", holder, "at_most", p.cfg.LockTimeout)
				logged = holder
			}
		}
	}()
	return w
}
