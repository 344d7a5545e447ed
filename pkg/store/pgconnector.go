package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

const (
	// errorBuffer is the driver's read buffer. It cannot read an error whose
	// fields are longer, and the server quotes what it refuses.
	errorBuffer = 32 << 10
	// disconnectCheck is how often the server looks whether the client of a
	// running statement still exists.
	disconnectCheck = 5 * time.Second
	// The server looks after this long whether a silent client exists, and
	// gives it up after so many looks without an answer: after 30 seconds.
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveCount    = 3
)

// pgConnector opens sessions as this package wants them. It adds to pgdriver:
// TLS by our own policy, one time limit for the whole of connecting, session
// settings, and connections that heed their context.
type pgConnector struct {
	endpoint endpoint
	timeout  time.Duration // for connecting
	settings []setting
	driver   *pgdriver.Connector
}

// setting is a run-time parameter of a session.
type setting struct{ name, value string }

var _ driver.Connector = (*pgConnector)(nil)

// sessionLimits are the server's limits for one use of the database; a zero
// statement limit means none.
type sessionLimits struct{ statement, lock time.Duration }

func newPgConnector(e endpoint, timeout time.Duration, limits sessionLimits) *pgConnector {
	if e.connectTimeout > 0 {
		timeout = e.connectTimeout
	}
	application := e.application
	if application == "" {
		application = "eventpulse"
	}
	c := &pgConnector{endpoint: e, timeout: timeout}
	c.settings = []setting{
		{"statement_timeout", milliseconds(limits.statement)},
		{"lock_timeout", milliseconds(limits.lock)},
		// Nothing here leaves a transaction open but a process that hangs.
		{"idle_in_transaction_session_timeout", milliseconds(max(limits.statement, time.Minute))},
		{"timezone", "UTC"},
		// A role's stricter default would turn harmless races into errors.
		{"default_transaction_isolation", "read committed"},
	}
	if e.network == "tcp" {
		// The server waits for the rest of a COPY inside a transaction, and
		// for a machine that has gone it would wait two hours.
		c.settings = append(c.settings,
			setting{"tcp_keepalives_idle", seconds(keepAliveIdle)},
			setting{"tcp_keepalives_interval", seconds(keepAliveInterval)},
			setting{"tcp_keepalives_count", strconv.Itoa(keepAliveCount)})
	}
	if e.searchPath != "" {
		c.settings = append(c.settings, setting{"search_path", e.searchPath})
	}
	var read time.Duration // none: the context alone
	if limits.statement > 0 {
		read = limits.statement + readMargin
	}
	c.driver = pgdriver.NewConnector(
		pgdriver.WithNetwork(e.network), pgdriver.WithAddr(e.address),
		pgdriver.WithUser(e.user), pgdriver.WithPassword(e.password), pgdriver.WithDatabase(e.database),
		pgdriver.WithApplicationName(application),
		pgdriver.WithInsecure(true), // dial has seen to TLS
		pgdriver.WithReadTimeout(read), pgdriver.WithWriteTimeout(read),
		pgdriver.WithBufferSize(errorBuffer), pgdriver.WithTracing(false),
		func(c *pgdriver.Config) { c.ConnParams = nil },
	)
	c.driver.Config().Dialer = c.dial
	return c
}

// Driver implements driver.Connector.
func (c *pgConnector) Driver() driver.Driver { return c.driver.Driver() }

// Connect implements driver.Connector.
func (c *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	// The driver does not close what it could not log in to.
	var dialled dialledConn
	conn, err := c.connect(context.WithValue(ctx, dialledKey{}, &dialled))
	if err != nil {
		if dialled.Conn != nil {
			_ = dialled.Close()
		}
		return nil, fmt.Errorf("connect to %s: %w", c.endpoint.address, withCause(ctx, err))
	}
	return conn, nil
}

type (
	dialledKey  struct{}
	dialledConn struct{ net.Conn }
)

func (c *pgConnector) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// Closing is the one thing that ends a read in progress for certain.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	secure, err := c.endpoint.tls.negotiate(ctx, conn)
	if !stop() || err != nil {
		_ = conn.Close()
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if holder, ok := ctx.Value(dialledKey{}).(*dialledConn); ok {
		holder.Conn = secure
	}
	return secure, nil
}

func (c *pgConnector) connect(ctx context.Context) (driver.Conn, error) {
	raw, err := c.driver.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := raw.(*pgdriver.Conn)
	if !ok {
		return nil, fmt.Errorf("unexpected connection type %T", raw)
	}
	conn := &pgConn{Conn: inner, patience: c.driver.Config().ReadTimeout}
	if err := c.configure(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("configure session: %w", err)
	}
	return conn, nil
}

// configure sets the session up in as few round trips as it can.
func (c *pgConnector) configure(ctx context.Context, conn *pgConn) error {
	query := "SELECT "
	args := make([]driver.NamedValue, len(c.settings))
	for i, s := range c.settings {
		if i > 0 {
			query += ", "
		}
		query += fmt.Sprintf("set_config('%s', $%d, false)", s.name, i+1)
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: s.value}
	}
	// With synchronous_commit off a commit is answered before it is on disk,
	// and the event is acknowledged on the strength of it. The stronger
	// levels stay as the operator chose them.
	query += "; SELECT set_config('synchronous_commit', 'on', false)" +
		" WHERE current_setting('synchronous_commit') = 'off'"
	if _, err := conn.ExecContext(ctx, query, args); err != nil {
		return err
	}
	// Not in servers before 14, and refused by those on some systems.
	_, err := conn.ExecContext(ctx,
		"SELECT set_config('client_connection_check_interval', $1, false)"+
			" WHERE current_setting('client_connection_check_interval', true) IS NOT NULL",
		[]driver.NamedValue{{Ordinal: 1, Value: milliseconds(disconnectCheck)}})
	if e, ok := errors.AsType[pgdriver.Error](err); ok && class(e.Field('C')) == "22" {
		return nil
	}
	return err
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
