package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// handshakes does the TLS handshakes of a listener, so that the listener knows
// which connections speak HTTP/2 before net/http gets them: those are left to
// net/http as they are, the others get a [conn].
type handshakes struct {
	config  *tls.Config
	timeout time.Duration
	failed  interface{ Inc() }

	start sync.Once
	ready chan handshaken // closed when no more come
	// ctx ends when handshakes must.
	ctx    context.Context
	cancel context.CancelFunc
}

type handshaken struct {
	net.Conn
	err error
}

func newHandshakes(config *tls.Config, timeout time.Duration, failed interface{ Inc() }) *handshakes {
	h := &handshakes{config: config, timeout: timeout, failed: failed, ready: make(chan handshaken)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// accept returns the next connection whose handshake is done.
func (h *handshakes) accept(l *listener) (net.Conn, error) {
	h.start.Do(func() { go h.run(l) })
	a, ok := <-h.ready
	if !ok {
		return nil, net.ErrClosed
	}
	return a.Conn, a.err
}

// run accepts until the listener is closed. Handshakes that are under way then
// have a moment left.
func (h *handshakes) run(l *listener) {
	defer close(h.ready)
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for {
		nc, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			time.AfterFunc(freshTimeout, h.cancel)
			return
		}
		if err != nil {
			h.deliver(handshaken{err: err})
			continue
		}
		underWay.Go(func() { h.do(l, nc) })
	}
}

func (h *handshakes) deliver(a handshaken) {
	select {
	case h.ready <- a:
	case <-h.ctx.Done():
		if a.Conn != nil {
			_ = a.Close()
		}
	}
}

func (h *handshakes) do(l *listener, nc net.Conn) {
	ctx, cancel := context.WithTimeout(h.ctx, h.timeout)
	defer cancel()
	l.open.Add(1)
	tc := tls.Server(&counted{Conn: nc, open: &l.open}, h.config)
	if err := tc.HandshakeContext(ctx); err != nil {
		h.failed.Inc()
		if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && isRequest(plain.RecordHeader) {
			_ = nc.SetWriteDeadline(time.Now().Add(rejectionTimeout))
			_, _ = nc.Write(l.rejection(http.StatusBadRequest, "this port is for HTTPS"))
		}
		_ = tc.Close()
		return
	}
	state := tc.ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		h.deliver(handshaken{Conn: tc})
		return
	}
	c := l.newConn(tc)
	c.tls = &state
	h.deliver(handshaken{Conn: c})
}

// isRequest reports whether the first bytes of a connection are those of HTTP
// without TLS.
func isRequest(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH":
		return true
	}
	return false
}

// counted is a connection that counts itself out when it is closed.
type counted struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

// Close implements [net.Conn].
func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.Conn.Close()
}

// CloseWrite lets [tls.Conn.CloseWrite]'s caller end the sending half.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
