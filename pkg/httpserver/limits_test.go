package httpserver

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gate is a function that holds requests until it is opened.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan struct{})} }

func (g *gate) wait(context.Context, string) error {
	g.entered <- struct{}{}
	<-g.open
	return nil
}

func TestMaxInFlight_Answers503(t *testing.T) {
	g := newGate()
	r := start(t, &fake{accept: g.wait}, func(c *Config) { c.MaxInFlight = 2 })
	var held []*peer
	for range 2 {
		p := r.dial(t)
		p.send(events + "Content-Length: 2\r\n\r\n{}")
		<-g.entered
		held = append(held, p)
	}
	// At once, though the body is still to come.
	p := r.dial(t)
	p.send(events + "Content-Length: 2\r\n\r\n")
	a := p.answer("POST")
	requireProblem(t, a, http.StatusServiceUnavailable)
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	require.False(t, a.Close)
	require.Equal(t, 200, r.do(t, "GET", "/api/v1/events/health", nil).StatusCode, "health is not counted")

	close(g.open)
	for _, h := range held {
		require.Equal(t, 202, h.answer("POST").StatusCode)
	}
	// The connection goes on once its body has arrived.
	p.send("{}" + events + "Content-Length: 2\r\n\r\n[]")
	require.Equal(t, 202, p.answer("POST").StatusCode)
	require.Equal(t, []string{"{}", "{}", "[]"}, r.fake.seen())
	eventually(t, func() bool { return r.inFlight.held.Load() == 0 }, "nothing in flight")
}

func TestMaxInFlightBytes_Answers503(t *testing.T) {
	g := newGate()
	r := start(t, &fake{accept: g.wait}, func(c *Config) { c.MaxBodyBytes, c.MaxInFlightBytes = 1000, 1500 })
	body := strings.Repeat(" ", 1000)
	first := r.dial(t)
	first.send(events + "Content-Length: 1000\r\n\r\n" + body)
	<-g.entered
	require.EqualValues(t, 1000, r.bodyBytes.held.Load())

	announced := r.dial(t)
	announced.send(events + "Content-Length: 1000\r\n\r\n")
	requireProblem(t, announced.answer("POST"), http.StatusServiceUnavailable)
	growing := r.dial(t)
	growing.send(events + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + body)
	requireProblem(t, growing.answer("POST"), http.StatusServiceUnavailable)
	inflated := r.dial(t)
	compressed := gzipOf(t, body)
	inflated.send(events + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" +
		hexLen(compressed) + "\r\n" + compressed + "\r\n0\r\n\r\n")
	requireProblem(t, inflated.answer("POST"), http.StatusServiceUnavailable)
	require.EqualValues(t, 1000, r.bodyBytes.held.Load())

	close(g.open)
	require.Equal(t, 202, first.answer("POST").StatusCode)
	eventually(t, func() bool { return r.bodyBytes.held.Load() == 0 }, "nothing held")
	growing.send("\r\n0\r\n\r\n" + events + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + body + "\r\n0\r\n\r\n")
	require.Equal(t, 202, growing.answer("POST").StatusCode)
}

func hexLen(s string) string {
	const digits = "0123456789abcdef"
	n := len(s)
	return string([]byte{digits[n>>8&15], digits[n>>4&15], digits[n&15]})
}

// TestRejectedBody_ThatStalls must not leave the connection open for what
// comes late to be taken for a request.
func TestRejectedBody_ThatStalls(t *testing.T) {
	r := start(t, &fake{}, shortTimeouts)
	p := r.dial(t)
	p.send("POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{}")
	requireProblem(t, p.answer("POST"), http.StatusNotFound)
	p.requireClosed()
}

func TestRejectedBody_TooLargeToDiscardClosesTheConnection(t *testing.T) {
	r := start(t, &fake{})
	p := r.dial(t)
	p.send("POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n")
	a := p.answer("POST")
	requireProblem(t, a, http.StatusNotFound)
	require.True(t, a.Close)
	p.requireClosed()
}

func TestThrottle(t *testing.T) {
	th := throttle{perSecond: 2}
	at := testTime
	for range 2 {
		ok, n := th.allow(at)
		require.True(t, ok)
		require.Zero(t, n)
	}
	for range 3 {
		ok, _ := th.allow(at)
		require.False(t, ok)
	}
	ok, n := th.allow(at.Add(1e9))
	require.True(t, ok)
	require.Equal(t, 3, n)
}
