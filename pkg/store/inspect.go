package store

import (
	"context"
	"time"
)

// Info is what can be seen of a database, without a judgement.
type Info struct {
	// SQLite says that the database is a file at Address: of the rest only
	// Version, Latency and Migrations are set.
	SQLite bool
	// Address is host:port or the path of a socket, Database the name there.
	Address, Database string
	// Version is as the database prints it, VersionNumber a number such as
	// 150018 for 15.18.
	Version       string
	VersionNumber int
	// Latency is how long the server took to say what time it is.
	Latency time.Duration
	// ClockAhead is how far its clock is ahead of this machine's, ClockWithin
	// how far off that may be.
	ClockAhead, ClockWithin time.Duration

	Encoding string
	// Pooled says that sessions do not begin with the settings that were asked
	// for, as behind a connection pooler: what a [Store] depends on it sets in
	// each transaction.
	Pooled bool
	// Standby says that the server follows another, ReadOnly that
	// transactions here begin as such.
	Standby, ReadOnly bool
	// Fsync and FullPageWrites are what lets commits survive a crash.
	Fsync, FullPageWrites bool
	// SynchronousCommit is what sessions begin with; where that is off, the
	// transactions of a [Store] turn it on for themselves.
	SynchronousCommit string

	// MaxConnections is how many connections there may be at once, those kept
	// for administrators not counted; Connections how many there are, with
	// ours. ConnectionLimit is the role's own or the database's, whichever is
	// less; -1 for none.
	MaxConnections, Connections, ConnectionLimit int

	// Table says whether the table of events exists.
	Table bool
	// Problems are what keeps events from being stored in the table.
	Problems []Problem
	// Migrations is what [Store.MigrateStatus] returns.
	Migrations []Migration
	// MigrationsErr says why they are not known.
	MigrationsErr error
}

// Inspect looks at the database. It changes nothing, and costs a few reads
// whatever the number of events. The error says that the database cannot be
// asked anything; Info.SQLite and Info.Address are set even then.
func (s *Store) Inspect(ctx context.Context) (Info, error) {
	var info Info
	if err := s.backend.inspect(ctx, &info); err != nil {
		return info, s.failed("inspect the database", err)
	}
	var err error
	if info.Problems, err = s.backend.problems(ctx); err != nil {
		return info, s.failed("inspect the table of events", err)
	}
	info.Migrations, info.MigrationsErr = s.MigrateStatus(ctx)
	return info, nil
}
