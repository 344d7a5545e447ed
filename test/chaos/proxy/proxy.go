// Package proxy is a TCP proxy that does to a connection what networks and
// servers do to it.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Direction is one half of a connection.
type Direction int

// The directions.
const (
	Up   Direction = iota // from client to server
	Down                  // from server to client
)

// Proxy passes connections on to a server. A new one passes everything on
// unharmed. Its methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	done     context.Context
	stop     context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex
	links   map[*link]struct{}
	refuse  bool
	swallow [2]bool
	latency time.Duration
	jitter  time.Duration
	trap    *trap
}

// trap is a cut that waits for its moment.
type trap struct {
	direction Direction
	match     func(chunk []byte) (cut int, ok bool)
	sprung    chan struct{}
}

// NewProxy listens on a port of 127.0.0.1 for target, which need not be up.
func NewProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", target, err)
	}
	p := &Proxy{listener: listener, target: target, links: map[*link]struct{}{}}
	p.done, p.stop = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

// Addr returns where clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and all connections.
func (p *Proxy) Close() error {
	p.stop()
	err := p.listener.Close()
	p.Reset()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	if p.refusing() {
		abort(client)
		return
	}
	server, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(p.done, "tcp", p.target)
	if err != nil {
		// The server is away: the client is told so as a server would.
		abort(client)
		return
	}
	l := &link{proxy: p, client: client, server: server.(*net.TCPConn)}
	l.done, l.stop = context.WithCancel(p.done)
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// Reset cuts every connection, in both directions and without a good-bye.
// New ones are welcome.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Refuse cuts every connection and lets no new one through, until it is told
// otherwise.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	p.refuse = on
	p.mu.Unlock()
	if on {
		p.Reset()
	}
}

func (p *Proxy) refusing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuse
}

// Swallow takes what travels in the direction and passes none of it on, until
// it is told otherwise. A connection of which something was swallowed is cut
// then, because the rest would make no sense.
func (p *Proxy) Swallow(d Direction, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow[d] = on
	if on {
		return
	}
	for l := range p.links {
		if l.swallowed.Load() {
			l.cut()
		}
	}
}

func (p *Proxy) swallowing(d Direction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swallow[d]
}

// Delay holds what the server says back for the latency, give or take the
// jitter.
func (p *Proxy) Delay(latency, jitter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency, p.jitter = latency, jitter
}

func (p *Proxy) delay(d Direction) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d == Up || p.latency == 0 {
		return 0
	}
	if p.jitter == 0 {
		return p.latency
	}
	return p.latency - p.jitter + rand.N(2*p.jitter)
}

// Trap waits for a piece of data in the direction that match says yes to,
// passes on as much of it as match says and cuts the connection there. It
// returns once that has happened, or ctx has ended. There is one trap at a
// time: a new one takes the place of the old.
func (p *Proxy) Trap(ctx context.Context, d Direction, match func(chunk []byte) (cut int, ok bool)) error {
	t := &trap{direction: d, match: match, sprung: make(chan struct{})}
	p.mu.Lock()
	p.trap = t
	p.mu.Unlock()
	select {
	case <-t.sprung:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.trap == t {
			p.trap = nil
		}
		return errors.Join(errors.New("nothing came that was waited for"), ctx.Err())
	}
}

// spring returns how much of chunk is to be passed on before the cut.
func (p *Proxy) spring(d Direction, chunk []byte) (cut int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trap
	if t == nil || t.direction != d {
		return 0, false
	}
	if cut, ok = t.match(chunk); ok {
		p.trap = nil
		close(t.sprung)
	}
	return cut, ok
}
