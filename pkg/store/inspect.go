package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/uptrace/bun"
)

// Info is what can be seen of a database, without a judgement.
type Info struct {
	// SQLite says that the database is a file at Address: of the rest only
	// Version, Latency and Migrations are set.
	SQLite bool
	// Address is host:port or the path of a socket, Database the name there.
	Address, Database string
	// Version is PostgreSQL's own word for it, VersionNumber a number such as
	// 150018 for 15.18.
	Version       string
	VersionNumber int
	// Latency is how long the server took to say what time it is.
	Latency time.Duration
	// ClockAhead is how far its clock is ahead of this machine's, ClockWithin
	// how far off that may be.
	ClockAhead, ClockWithin time.Duration

	Encoding, TimeZone string
	// Standby says that the server follows another, ReadOnly that
	// transactions here begin as such.
	Standby, ReadOnly bool
	// Fsync and FullPageWrites are what lets commits survive a crash.
	Fsync, FullPageWrites bool
	// SynchronousCommit is what sessions begin with; where that is off, the
	// sessions of a [Store] turn it on for themselves.
	SynchronousCommit string

	// MaxConnections is how many connections there may be at once, those kept
	// for administrators not counted; Connections how many there are, with
	// ours. ConnectionLimit is the role's own or the database's, whichever is
	// less; -1 for none.
	MaxConnections, Connections, ConnectionLimit int

	// Table says whether the table of events exists, Writable whether this
	// role may read from it and insert into it.
	Table, Writable bool
	// Migrations is what [Store.MigrateStatus] returns.
	Migrations []Migration
	// MigrationsErr says why they are not known.
	MigrationsErr error
}

// Inspect looks at the database. It changes nothing, and costs a few reads
// whatever the number of events. The error says that the database cannot be
// asked anything; Info.SQLite and Info.Address are set even then.
func (s *Store) Inspect(ctx context.Context) (Info, error) {
	var f Info
	err := errors.New("unknown kind of database")
	switch b := s.backend.(type) {
	case *postgres:
		err = b.inspect(ctx, s.db, &f)
	case *sqlite:
		err = b.inspect(ctx, s.db, &f)
	}
	if err != nil {
		return f, s.backend.classify("inspect the database", err)
	}
	f.Migrations, f.MigrationsErr = s.MigrateStatus(ctx)
	return f, nil
}

// selectFacts asks for what sessions begin with, reset_val, where ours change
// it. Not every server has every setting.
const selectFacts = `
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
  current_setting('server_encoding'),
  (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'),
  pg_is_in_recovery(),
  current_setting('default_transaction_read_only') = 'on',
  coalesce(current_setting('fsync', true), 'on') = 'on',
  coalesce(current_setting('full_page_writes', true), 'on') = 'on',
  (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
  current_setting('max_connections')::int
    - coalesce(current_setting('superuser_reserved_connections', true), '0')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int,
  (SELECT sum(numbackends) FROM pg_stat_database)::int,
  (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
  (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
  to_regclass('events') IS NOT NULL,
  coalesce(has_table_privilege(to_regclass('events')::oid, 'INSERT')
    AND has_table_privilege(to_regclass('events')::oid, 'SELECT'), false)`

func (p *postgres) inspect(ctx context.Context, db *bun.DB, f *Info) error {
	f.Address, f.Database = p.endpoint.address, p.endpoint.database
	// Asked twice: the first answer also pays for the connection.
	for range 2 {
		asked := time.Now()
		var told int64
		err := db.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&told)
		if err != nil {
			return err
		}
		f.Latency = time.Since(asked)
		f.ClockWithin = f.Latency/2 + time.Microsecond
		f.ClockAhead = time.UnixMicro(told).Sub(asked.Add(f.Latency / 2))
	}
	var roleLimit, databaseLimit int
	err := db.QueryRowContext(ctx, selectFacts).Scan(
		&f.Version, &f.VersionNumber, &f.Encoding, &f.TimeZone,
		&f.Standby, &f.ReadOnly, &f.Fsync, &f.FullPageWrites, &f.SynchronousCommit,
		&f.MaxConnections, &f.Connections, &roleLimit, &databaseLimit,
		&f.Table, &f.Writable)
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	f.ConnectionLimit = roleLimit
	if roleLimit < 0 || databaseLimit >= 0 && databaseLimit < roleLimit {
		f.ConnectionLimit = databaseLimit
	}
	return nil
}

func (s *sqlite) inspect(ctx context.Context, db *bun.DB, f *Info) error {
	f.SQLite, f.Address = true, s.path()
	if _, err := os.Stat(f.Address); err != nil {
		return err // asking anything would make the file
	}
	asked := time.Now()
	err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&f.Version)
	f.Latency = time.Since(asked)
	return err
}

// path is the file that the data source names.
func (s *sqlite) path() string {
	u, err := url.Parse(s.dsn)
	if err != nil {
		return ""
	}
	if path, err := url.PathUnescape(u.Opaque); err == nil && path != "" {
		return path
	}
	return u.Path
}
