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
	// silencePoll is how often a shutdown looks for what is in flight.
	silencePoll = 5 * time.Millisecond
	// freshGrace is how long a shutdown waits for connections that have
	// never said anything.
	freshGrace = 250 * time.Millisecond
)

// edge is a listener whose connections do what net/http leaves undone (see
// [conn]), and what they have in common.
type edge struct {
	net.Listener
	// refusal composes the whole answer to a request that never reached a
	// handler, and counts it. Without it net/http answers as it will.
	refusal func(status int, detail string) []byte
	// maxHead is the size past which a block of bytes cannot be a head.
	maxHead int

	// hurry makes connections close without lingering.
	hurry atomic.Bool
	// open counts connections; busy those of them that owe an answer or are
	// about to: new ones, and those with bytes of a request not yet
	// answered.
	open, busy atomic.Int64

	mu sync.Mutex
	// fresh are the connections that have never said anything.
	fresh map[*conn]struct{}
}

// Accept implements [net.Listener].
func (e *edge) Accept() (net.Conn, error) {
	nc, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, edge: e}
	e.open.Add(1)
	c.setBusy(true)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fresh == nil {
		e.fresh = make(map[*conn]struct{})
	}
	e.fresh[c] = struct{}{}
	return c, nil
}

// spoke takes c off the fresh ones.
func (e *edge) spoke(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.fresh, c)
}

// silence waits until no connection owes an answer, or ctx ends. Connections
// that have never said anything are closed after a moment: clients open some
// in advance, and [http.Server.Shutdown] would wait seconds for each.
func (e *edge) silence(ctx context.Context) {
	since := time.Now()
	tick := time.NewTicker(silencePoll)
	defer tick.Stop()
	for e.busy.Load() > 0 {
		select {
		case now := <-tick.C:
			if now.Sub(since) > freshGrace {
				e.closeFresh()
			}
		case <-ctx.Done():
			return
		}
	}
}

// closeFresh makes net/http close the fresh connections, by a deadline: it
// alone may, while it reads from them.
func (e *edge) closeFresh() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.fresh {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

type connKey struct{}

// attach makes srv tell the connections of an edge what they need to know.
// Its handler has to call [conn.begin] itself.
func attach(srv *http.Server) {
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, nc)
	}
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if c, ok := nc.(*conn); ok && state == http.StateIdle {
			c.idle()
		}
	}
}

// connOf returns the connection of r, nil where there is none.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
