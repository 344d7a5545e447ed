package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	// redialPause is how long a connection that cannot be made is left alone where
	// no rate holds it back.
	redialPause = 100 * time.Millisecond
	// grace is how long an answer is waited for once the run is interrupted.
	grace = time.Second
	// idleTimeout is how long a connection may be idle and still be trusted: a
	// server closes those that are idle for long.
	idleTimeout = 30 * time.Second
	// excerptBytes is how much of an answer that is no 202 is kept.
	excerptBytes = 512
)

// dialer makes connections.
type dialer func(ctx context.Context) (net.Conn, error)

func (t target) dialer(timeout time.Duration) dialer {
	plain := &net.Dialer{Timeout: timeout}
	if t.tls {
		secure := &tls.Dialer{NetDialer: plain}
		return func(ctx context.Context) (net.Conn, error) { return secure.DialContext(ctx, "tcp", t.addr) }
	}
	return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", t.addr) }
}

// sender sends one request after the other on a connection of its own.
type sender struct {
	url      string
	timeout  time.Duration
	request  *request
	recorder *recorder
	pause    bool     // after a connection that could not be made
	sent     *sentLog // nil where nobody asks
	// sample is told of accepted events, where somebody asks.
	sample func(id uuid.UUID, at time.Time)

	dial      dialer
	first     net.Conn // made before the clock starts, until it is used
	transport *http.Transport
	traffic   traffic
}

// traffic counts the bytes of a connection.
type traffic struct{ sent, received atomic.Int64 }

// countingConn counts what goes through a connection.
type countingConn struct {
	net.Conn
	traffic *traffic
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.traffic.received.Add(int64(n))
	return n, err
}

func (c countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.traffic.sent.Add(int64(n))
	return n, err
}

// connect makes the first connection.
func (s *sender) connect(ctx context.Context) (err error) {
	s.first, err = s.dial(ctx)
	next := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn := s.first
		if s.first = nil; conn != nil {
			return countingConn{conn, &s.traffic}, nil
		}
		conn, err := s.dial(ctx)
		if err != nil {
			return nil, dialError{err}
		}
		return countingConn{conn, &s.traffic}, nil
	}
	// One connection, so that as many requests are under way as were asked for.
	s.transport = &http.Transport{
		DialContext: next, DialTLSContext: next, MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1,
		IdleConnTimeout: idleTimeout, DisableCompression: true,
		Protocols: new(http.Protocols),
	}
	s.transport.Protocols.SetHTTP1(true)
	return err
}

// dialError says that nothing was sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

func (s *sender) close() {
	if s.first != nil {
		_ = s.first.Close()
	}
	s.transport.CloseIdleConnections()
}

// run sends what is due until nothing more is. When ctx ends, the request that
// is under way has the grace.
func (s *sender) run(ctx context.Context, p pacer) {
	defer s.close()
	waiting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		rest(waiting, grace)
		cancel()
	})()
	for {
		due, ok := p.next()
		if !ok {
			return
		}
		s.once(ctx, waiting, due)
	}
}

// once sends one request and counts what becomes of it.
func (s *sender) once(ctx, waiting context.Context, due time.Time) {
	s.request.renew(time.Now())
	a, err := s.post(waiting)
	now := time.Now()
	o := outcome{status: a.status, detail: a.excerpt, latency: now.Sub(due), over: now}
	if err != nil {
		o.status, o.detail = noAnswer, unanswered(err)
	}
	s.recorder.add(o)
	if _, unsent := errors.AsType[dialError](err); unsent {
		if s.pause {
			rest(ctx, redialPause)
		}
		return
	}
	if s.sent != nil {
		s.sent[classOf(o.status)].add(s.request.ids)
	}
	if s.sample != nil && o.status == http.StatusAccepted {
		s.sample(s.request.ids[0], now)
	}
}

// answer is what came back.
type answer struct {
	status  int
	excerpt string // of what is no 202
}

// post sends the request and reads the answer to its end.
func (s *sender) post(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	body := &requestBody{closed: make(chan struct{})}
	body.Reset(s.request.body)
	// The buffer is written over for the next request, which has to wait for
	// the transport: it may close a body after its answer.
	defer func() { <-body.closed }()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		close(body.closed)
		return answer{}, err
	}
	r.ContentLength = int64(len(s.request.body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "eventpulse-bench")
	response, err := s.transport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode}
	if a.status != http.StatusAccepted {
		text, err := io.ReadAll(io.LimitReader(response.Body, excerptBytes))
		if err != nil {
			return a, err
		}
		a.excerpt = strings.ToValidUTF8(strings.TrimSpace(string(text)), "?")
	}
	_, err = io.Copy(io.Discard, response.Body)
	return a, err
}

// requestBody says when the transport is done with it, see [http.RoundTripper].
type requestBody struct {
	bytes.Reader
	closing atomic.Bool
	closed  chan struct{}
}

func (b *requestBody) Close() error {
	if !b.closing.Swap(true) {
		close(b.closed)
	}
	return nil
}

// unanswered says in a few words why there was no answer.
func unanswered(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || errors.Is(err, context.Canceled) {
		return "no answer in time"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed without an answer"
	}
	return fmt.Sprint(err)
}

// rest waits, but not longer than ctx.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
