package store

import (
	"context"
	"fmt"
	"time"
)

// inspectStatement asks for what sessions begin with, but for what package
// pgsession sets. Not every server has every setting.
const inspectStatement = `
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
  current_setting('server_encoding'),
  (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout') <> ?,
  pg_is_in_recovery(),
  current_setting('default_transaction_read_only') = 'on',
  coalesce(current_setting('fsync', true), 'on') = 'on',
  coalesce(current_setting('full_page_writes', true), 'on') = 'on',
  current_setting('synchronous_commit'),
  current_setting('max_connections')::int
    - coalesce(current_setting('superuser_reserved_connections', true), '0')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int,
  (SELECT sum(numbackends) FROM pg_stat_database)::int,
  (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
  (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
  to_regclass('events') IS NOT NULL`

func (p *postgres) inspect(ctx context.Context, info *Info) error {
	info.Address, info.Database = p.endpoint.Address, p.endpoint.Database
	// Asked twice: the first answer also pays for the connection.
	for range 2 {
		asked := time.Now()
		var serverTime int64
		err := p.db.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&serverTime)
		if err != nil {
			return err
		}
		info.Latency = time.Since(asked)
		info.ClockWithin = info.Latency/2 + time.Microsecond
		info.ClockAhead = time.UnixMicro(serverTime).Sub(asked.Add(info.Latency / 2))
	}
	var roleLimit, databaseLimit int
	err := p.db.QueryRowContext(ctx, inspectStatement, p.cfg.LockTimeout.Milliseconds()).Scan(
		&info.Version, &info.VersionNumber, &info.Encoding, &info.Pooled,
		&info.Standby, &info.ReadOnly, &info.Fsync, &info.FullPageWrites, &info.SynchronousCommit,
		&info.MaxConnections, &info.Connections, &roleLimit, &databaseLimit,
		&info.Table)
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	info.ConnectionLimit = roleLimit
	if roleLimit < 0 || databaseLimit >= 0 && databaseLimit < roleLimit {
		info.ConnectionLimit = databaseLimit
	}
	return nil
}
