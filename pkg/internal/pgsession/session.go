package pgsession

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// session is a connection that heeds its context. pgdriver looks at a context's
// deadline before it waits and never again: a cancelled statement would be
// waited for until its time-out, a server that stopped answering likewise.
//
// What ends early ends by closing the connection. The server notices
// (client_connection_check_interval) and gives the statement up, or has
// committed it: the outcome is unknown, and the caller must be free to do it
// again.
type session struct {
	*pgdriver.Conn

	// timeout is how long one statement may take, 0 for ever.
	timeout time.Duration
	// What round trips past the driver need, kept from one to the next.
	buf    []byte
	reader *messageReader
}

var (
	_ driver.ExecerContext   = (*session)(nil)
	_ driver.QueryerContext  = (*session)(nil)
	_ driver.ConnBeginTx     = (*session)(nil)
	_ driver.Pinger          = (*session)(nil)
	_ driver.SessionResetter = (*session)(nil)
	_ driver.Validator       = (*session)(nil)
)

// watch closes the connection when ctx ends before the returned function is
// called. That function turns the error this provokes into the context's.
func (c *session) watch(ctx context.Context) func(error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	return func(err error) error {
		// Where the context ended just after the answer came, the answer
		// counts and database/sql finds the connection closed next time.
		stop()
		if err == nil || err == io.EOF {
			return err
		}
		return withCause(ctx, c.leaveReadOnly(err))
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

// leaveReadOnly closes a session on a server that has become read-only: after
// a failover the next connection may reach the one that is not.
func (c *session) leaveReadOnly(err error) error {
	if State(err) == stateReadOnly {
		_ = c.Close()
	}
	return err
}

func (c *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	done := c.watch(ctx)
	result, err := c.Conn.ExecContext(ctx, query, args)
	if err := done(err); err != nil {
		return nil, err
	}
	return result, nil
}

func (c *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	done := c.watch(ctx)
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, done(err)
	}
	return &sessionRows{Rows: rows, done: done}, nil
}

func (c *session) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	done := c.watch(ctx)
	tx, err := c.Conn.BeginTx(ctx, opts)
	if err := done(err); err != nil {
		return nil, err
	}
	return &sessionTx{Tx: tx, conn: c, ctx: ctx}, nil
}

func (c *session) Ping(ctx context.Context) error {
	_, err := c.ExecContext(ctx, "SELECT 1", nil)
	return err
}

// sessionRows watches the context until the last row and the completion of the
// statement have been read.
type sessionRows struct {
	driver.Rows
	done func(error) error // nil once it has been called
}

func (r *sessionRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && r.done != nil {
		done := r.done
		r.done = nil
		return done(err)
	}
	return err
}

func (r *sessionRows) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		done := r.done
		r.done = nil
		return done(err)
	}
	return err
}

// sessionTx remembers the context it began with, which database/sql does not
// pass to the end of a transaction.
type sessionTx struct {
	driver.Tx
	conn *session
	ctx  context.Context
}

func (t *sessionTx) Commit() error {
	done := t.conn.watch(t.ctx)
	return done(t.Tx.Commit())
}

func (t *sessionTx) Rollback() error {
	done := t.conn.watch(t.ctx)
	return done(t.Tx.Rollback())
}
