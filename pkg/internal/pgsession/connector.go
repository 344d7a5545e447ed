package pgsession

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

const (
	// errorBuffer is the driver's read buffer. It cannot read an error with a
	// longer field.
	errorBuffer = 32 << 10
	// responseMargin is how much longer than the server's statement_timeout
	// the client waits: the server ends an overdue statement itself, with an
	// answer, and only a server that does not answer at all meets the client's
	// own limit.
	responseMargin = 5 * time.Second
)

// Config is how sessions are opened.
type Config struct {
	Endpoint Endpoint
	// ApplicationName is how sessions show in pg_stat_activity where the
	// endpoint does not say.
	ApplicationName string
	// ConnectTimeout bounds connecting, TLS and login included, where the
	// endpoint does not say.
	ConnectTimeout time.Duration
	// StatementTimeout and LockTimeout are the server's limits for each
	// statement and for each wait for a lock, 0 for none.
	StatementTimeout, LockTimeout time.Duration
}

// Connector opens sessions. It is safe for concurrent use.
type Connector struct {
	endpoint Endpoint
	timeout  time.Duration // for connecting
	// drivers open sessions with ever fewer settings, for servers that refuse
	// some. The session is opened by the first that is not refused, and later
	// ones by the same.
	drivers []*pgdriver.Connector
	current atomic.Int32
}

var _ driver.Connector = (*Connector)(nil)

// NewConnector returns a connector. It does not dial.
func NewConnector(cfg Config) *Connector {
	c := &Connector{endpoint: cfg.Endpoint, timeout: cfg.ConnectTimeout}
	if c.endpoint.ConnectTimeout > 0 {
		c.timeout = c.endpoint.ConnectTimeout
	}
	for _, s := range startupSettings(cfg) {
		c.drivers = append(c.drivers, c.newDriver(cfg, s))
	}
	return c
}

func (c *Connector) newDriver(cfg Config, s settings) *pgdriver.Connector {
	var read time.Duration // none: the context alone
	if cfg.StatementTimeout > 0 {
		read = cfg.StatementTimeout + responseMargin
	}
	e := cfg.Endpoint
	d := pgdriver.NewConnector(
		pgdriver.WithNetwork(e.Network), pgdriver.WithAddr(e.Address),
		pgdriver.WithUser(e.User), pgdriver.WithPassword(e.Password), pgdriver.WithDatabase(e.Database),
		pgdriver.WithApplicationName(s.afterApplicationName()),
		pgdriver.WithInsecure(true), // dial has seen to TLS
		pgdriver.WithReadTimeout(read), pgdriver.WithWriteTimeout(read),
		pgdriver.WithBufferSize(errorBuffer), pgdriver.WithTracing(false),
		func(c *pgdriver.Config) { c.ConnParams = nil },
	)
	d.Config().Dialer = c.dial
	return d
}

// Driver implements driver.Connector.
func (c *Connector) Driver() driver.Driver { return c.drivers[0].Driver() }

// Connect implements driver.Connector.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for i := int(c.current.Load()); ; i++ {
		conn, err := c.connect(ctx, c.drivers[i])
		if err == nil {
			c.current.Store(int32(i))
			return conn, nil
		}
		if i == len(c.drivers)-1 || !settingRefused(State(err)) {
			return nil, fmt.Errorf("connect to %s: %w", c.endpoint.Address, withCause(ctx, err))
		}
		if c.endpoint.SearchPath != "" && i == len(c.drivers)-2 {
			// Without it statements would reach other tables.
			return nil, fmt.Errorf("connect to %s: %w; a connection pooler that does not pass search_path on wants it in the role instead: ALTER ROLE … SET search_path = …",
				c.endpoint.Address, err)
		}
	}
}

type (
	dialledKey  struct{}
	dialledConn struct{ net.Conn }
)

func (c *Connector) connect(ctx context.Context, d *pgdriver.Connector) (driver.Conn, error) {
	// The driver does not close what it could not log in to.
	var dialled dialledConn
	raw, err := d.Connect(context.WithValue(ctx, dialledKey{}, &dialled))
	if err != nil {
		if dialled.Conn != nil {
			_ = dialled.Close()
		}
		return nil, err
	}
	conn, ok := raw.(*pgdriver.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected connection type %T", raw), raw.Close())
	}
	return &session{Conn: conn, timeout: d.Config().ReadTimeout}, nil
}

func (c *Connector) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// Closing is the one thing that ends a read in progress for certain.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	secure, err := c.endpoint.TLS.negotiate(ctx, conn)
	if !stop() || err != nil {
		_ = conn.Close()
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if holder, ok := ctx.Value(dialledKey{}).(*dialledConn); ok {
		holder.Conn = secure
	}
	return secure, nil
}
