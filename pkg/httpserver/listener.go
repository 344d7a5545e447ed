package httpserver

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// idlePoll is how often a shutdown looks for what is in flight.
	idlePoll = 5 * time.Millisecond
	// freshTimeout is how long a shutdown waits for connections that have
	// never sent anything.
	freshTimeout = 250 * time.Millisecond
)

// listener is one whose connections do what net/http leaves undone (see
// [conn]), and what they have in common.
type listener struct {
	net.Listener
	// tls is nil without TLS.
	tls *handshakes
	// rejection composes the whole answer to what never became a request, and
	// counts it. Without it net/http answers as it will.
	rejection func(status int, detail string) []byte
	// maxHead is the size past which a block of bytes cannot be a head.
	maxHead int

	// linger is how long a connection is read after its last answer, 0 is
	// [lingerTimeout].
	linger time.Duration

	// forceClose makes connections close without lingering.
	forceClose atomic.Bool
	// open counts connections; busy those of them that owe an answer or are
	// about to: new ones, those with bytes of a request not yet answered, and
	// hijacked ones.
	open, busy atomic.Int64

	mu sync.Mutex
	// fresh are the connections that have never sent anything, hijacked those
	// that handlers have taken over.
	fresh, hijacked map[*conn]struct{}
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	if l.tls != nil {
		return l.tls.accept(l)
	}
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return l.newConn(&counted{Conn: nc, open: &l.open}), nil
}

// newConn returns nc as a connection that is fresh.
func (l *listener) newConn(nc net.Conn) *conn {
	c := &conn{Conn: nc, ln: l}
	c.setBusy(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh == nil {
		l.fresh = make(map[*conn]struct{})
	}
	l.fresh[c] = struct{}{}
	return c
}

// established takes c, which has sent something, off the fresh ones.
func (l *listener) established(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.fresh, c)
}

// hijack notes that net/http will not close c.
func (l *listener) hijack(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hijacked == nil {
		l.hijacked = make(map[*conn]struct{})
	}
	l.hijacked[c] = struct{}{}
}

// forget takes c, which closes, off everything.
func (l *listener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.fresh, c)
	delete(l.hijacked, c)
}

// hijackedOpen reports whether a handler that took a connection over still has
// it.
func (l *listener) hijackedOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.hijacked) > 0
}

func (l *listener) lingerTimeout() time.Duration {
	if l.linger > 0 {
		return l.linger
	}
	return lingerTimeout
}

// closeHijacked closes the connections that net/http has given up or does not
// have yet.
func (l *listener) closeHijacked() {
	if l.tls != nil {
		l.tls.cancel()
	}
	l.mu.Lock()
	var all []*conn
	for c := range l.hijacked {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// waitIdle waits until no connection owes an answer, or ctx ends. Connections
// that have never sent anything are closed after a moment: clients open some
// in advance, and [http.Server.Shutdown] would wait seconds for each.
func (l *listener) waitIdle(ctx context.Context) {
	since := time.Now()
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for l.busy.Load() > 0 {
		select {
		case now := <-tick.C:
			if now.Sub(since) > freshTimeout {
				l.closeFresh()
			}
		case <-ctx.Done():
			return
		}
	}
}

// closeFresh makes net/http close the fresh connections, by a deadline: it
// alone may, while it reads from them.
func (l *listener) closeFresh() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.fresh {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

type connKey struct{}

// attach makes srv tell the connections of a [listener] what they need to know.
// Its handler has to call [conn.begin] itself.
func attach(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, nc)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		c, ok := nc.(*conn)
		if !ok {
			return
		}
		switch state {
		case http.StateIdle:
			c.idle()
		case http.StateHijacked:
			c.hijack()
		}
	}
}

// connOf returns the connection of r, nil where there is none.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
