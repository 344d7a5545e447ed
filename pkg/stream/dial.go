package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// redialPause is how long a failed dial answers for those after it: every
// waiting request would dial, and look the name up, on its own.
const redialPause = 100 * time.Millisecond

// dropPause is the least time between two times that all connections are
// closed for leading to a replica.
const dropPause = time.Second

type dialFunc func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error)

// dialer opens the connections of a client and remembers them, so that they
// can be closed when they lead to the wrong server.
type dialer struct {
	dial dialFunc

	mu      sync.Mutex
	open    bool
	conns   map[*trackedConn]struct{}
	failed  map[string]dialFailure // by address, until a dial succeeds
	dropped time.Time
}

// dialFailure is the last failed dial of an address.
type dialFailure struct {
	err  error
	when time.Time
}

// errNotOpen keeps the client from dialling while it is made.
var errNotOpen = errors.New("no connection is made before the first use")

func newDialer(dial dialFunc) *dialer {
	if dial == nil {
		dial = dialTCP
	}
	return &dialer{dial: dial, conns: make(map[*trackedConn]struct{}), failed: make(map[string]dialFailure)}
}

func dialTCP(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	if t != nil {
		return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
	}
	return d.DialContext(ctx, "tcp", addr)
}

// start allows connections from now on.
func (d *dialer) start() {
	d.mu.Lock()
	d.open = true
	d.mu.Unlock()
}

// connect implements the client's dial function.
func (d *dialer) connect(ctx context.Context, addr string, nd *net.Dialer, t *tls.Config) (net.Conn, error) {
	if err := d.recent(addr); err != nil {
		return nil, err
	}

	conn, err := d.dial(ctx, addr, nd, t)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			d.failed[addr] = dialFailure{err, time.Now()}
		}
		return nil, err
	}
	delete(d.failed, addr)
	tracked := &trackedConn{Conn: conn, dialer: d}
	d.conns[tracked] = struct{}{}
	return tracked, nil
}

// recent returns the error of a dial of addr that failed within redialPause, nil
// when it is time to dial.
func (d *dialer) recent(addr string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.open {
		return errNotOpen
	}
	if f := d.failed[addr]; time.Since(f.when) <= redialPause {
		return f.err
	}
	return nil
}

// drop closes every connection, so that the next use finds the server that
// the address leads to by now. It does so at most once in dropPause.
func (d *dialer) drop() {
	d.mu.Lock()
	if time.Since(d.dropped) < dropPause {
		d.mu.Unlock()
		return
	}
	d.dropped = time.Now()
	conns := d.conns
	d.conns = make(map[*trackedConn]struct{})
	d.mu.Unlock()
	for conn := range conns {
		_ = conn.Conn.Close() // whoever uses it learns it from its next read or write
	}
}

// trackedConn is a connection that its dialer knows until it is closed.
type trackedConn struct {
	net.Conn
	dialer *dialer
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.conns, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}
