package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// pgConn is a session that heeds its context. pgdriver looks at a context's
// deadline before it waits and never again: a cancelled statement would be
// waited for until its time-out, a server that stopped answering likewise.
//
// What ends early here ends by closing the connection. The server notices
// (client_connection_check_interval) and gives the statement up, or has
// committed it: the outcome is unknown, and it is the caller who must be free
// to do it again.
type pgConn struct {
	*pgdriver.Conn

	// patience is how long one statement may take, 0 for ever.
	patience time.Duration
	// What is needed to speak past the driver, kept from once to the next.
	piece   []byte
	answers *answers
}

var (
	_ driver.ExecerContext   = (*pgConn)(nil)
	_ driver.QueryerContext  = (*pgConn)(nil)
	_ driver.ConnBeginTx     = (*pgConn)(nil)
	_ driver.Pinger          = (*pgConn)(nil)
	_ driver.SessionResetter = (*pgConn)(nil)
	_ driver.Validator       = (*pgConn)(nil)
)

// watch closes the connection when ctx ends before the returned function is
// called. That function turns the error this provokes into the context's.
func (c *pgConn) watch(ctx context.Context) func(error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	return func(err error) error {
		// Where the context ended just after the answer came, the answer
		// counts and database/sql finds the connection closed next time.
		stop()
		if err == nil || err == io.EOF {
			return err
		}
		return withCause(ctx, c.check(err))
	}
}

// withCause adds to err that its context has ended. A socket's deadline, taken
// from the context's, can pass a moment before the context knows of it.
func withCause(ctx context.Context, err error) error {
	cause := ctx.Err()
	if deadline, ok := ctx.Deadline(); ok && cause == nil && !time.Now().Before(deadline) {
		cause = context.DeadlineExceeded
	}
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return errors.Join(cause, err)
}

// check gives up a session on a server that has become read-only: after a
// failover the next connection may reach the one that is not.
func (c *pgConn) check(err error) error {
	if stateOf(err) == stateReadOnly {
		_ = c.Close()
	}
	return err
}

func (c *pgConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	done := c.watch(ctx)
	result, err := c.Conn.ExecContext(ctx, query, args)
	if err := done(err); err != nil {
		return nil, err
	}
	return result, nil
}

func (c *pgConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	done := c.watch(ctx)
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, done(err)
	}
	return &pgRows{Rows: rows, done: done}, nil
}

func (c *pgConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	done := c.watch(ctx)
	tx, err := c.Conn.BeginTx(ctx, opts)
	if err := done(err); err != nil {
		return nil, err
	}
	return &pgTx{Tx: tx, conn: c, ctx: ctx}, nil
}

func (c *pgConn) Ping(ctx context.Context) error {
	_, err := c.ExecContext(ctx, "SELECT 1", nil)
	return err
}

// pgRows keeps the watch until the last row and the server's own word that
// the statement is complete have been read.
type pgRows struct {
	driver.Rows
	done func(error) error // nil once it has been called
}

func (r *pgRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && r.done != nil {
		done := r.done
		r.done = nil
		return done(err)
	}
	return err
}

func (r *pgRows) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		done := r.done
		r.done = nil
		return done(err)
	}
	return err
}

// pgTx remembers the context it began with, which database/sql does not hand
// to the end of a transaction.
type pgTx struct {
	driver.Tx
	conn *pgConn
	ctx  context.Context
}

func (t *pgTx) Commit() error {
	done := t.conn.watch(t.ctx)
	return done(t.Tx.Commit())
}
