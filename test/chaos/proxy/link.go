package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn
	swallowed      atomic.Bool

	done context.Context
	stop context.CancelFunc
}

// run passes data on until both directions have ended.
func (l *link) run() {
	// Whatever ends the link ends reads and writes that are under way.
	closed := context.AfterFunc(l.done, func() {
		abort(l.client)
		abort(l.server)
	})
	defer closed()
	defer l.stop()
	var wg sync.WaitGroup
	wg.Go(func() { l.pass(Up, l.client, l.server) })
	wg.Go(func() { l.pass(Down, l.server, l.client) })
	wg.Wait()
	_ = l.client.Close()
	_ = l.server.Close()
}

// cut ends the link at once.
func (l *link) cut() { l.stop() }

// chunk is data on its way, and when it arrives; the end of it when err is
// set.
type chunk struct {
	data []byte
	due  time.Time
	err  error
}

// pass copies one direction. Reading and writing are apart so that a delay
// holds back each piece and not the rate.
func (l *link) pass(d Direction, from, to *net.TCPConn) {
	const onTheWay = 256
	queue := make(chan chunk, onTheWay)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { l.deliver(d, queue, to) })
	defer close(queue)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		c := chunk{data: buffer[:n], due: time.Now().Add(l.proxy.delay(d)), err: err}
		select {
		case queue <- c:
		case <-l.done.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// deliver writes what arrives in the queue when it is due.
func (l *link) deliver(d Direction, queue <-chan chunk, to *net.TCPConn) {
	for c := range queue {
		if wait := time.Until(c.due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-l.done.Done():
				return
			}
		}
		if l.proxy.swallowing(d) {
			if len(c.data) > 0 {
				l.swallowed.Store(true)
			}
			if c.err != nil {
				<-l.done.Done() // the end is not passed on either
				return
			}
			continue
		}
		if cut, ok := l.proxy.spring(d, c.data); ok {
			_, _ = to.Write(c.data[:cut])
			// Long enough for those bytes to be read before the reset
			// throws away what is not.
			time.Sleep(5 * time.Millisecond)
			l.cut()
			return
		}
		if _, err := to.Write(c.data); err != nil {
			l.cut()
			return
		}
		if c.err != nil {
			if !errors.Is(c.err, io.EOF) {
				l.cut()
				return
			}
			_ = to.CloseWrite()
		}
	}
}

// abort closes a connection with a reset.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
