package store_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy is a fault proxy between a store and its server.
type proxy struct {
	listener net.Listener
	server   string
	wg       sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
	// cut is shown what clients send before the server is, and says when to
	// cut their connections instead.
	cut atomic.Pointer[func(sent []byte) bool]
	// mute keeps the server's answers from clients.
	mute atomic.Bool
}

// newProxy returns a proxy for the server of a URL, and the URL that leads
// through it.
func newProxy(t *testing.T, server string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, server: u.Host}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		p.cutAll()
		p.wg.Wait()
	})
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		hangUp := func() { _, _ = client.Close(), server.Close() }
		p.wg.Go(func() {
			defer hangUp()
			buf := make([]byte, 32<<10)
			for {
				n, err := client.Read(buf)
				if cut := p.cut.Load(); n > 0 && cut != nil && (*cut)(buf[:n]) {
					return
				}
				if _, writeErr := server.Write(buf[:n]); err != nil || writeErr != nil {
					return
				}
			}
		})
		p.wg.Go(func() {
			defer hangUp()
			_, _ = io.Copy(unlessMute{client, p}, server)
		})
	}
}

// cutAll ends all connections there are.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

type unlessMute struct {
	io.Writer
	*proxy
}

func (w unlessMute) Write(b []byte) (int, error) {
	if w.mute.Load() {
		return len(b), nil
	}
	return w.Writer.Write(b)
}
