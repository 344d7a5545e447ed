package httpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// endedHandler returns a handler that answers, waits for the end of its context, and
// passes on why it ended.
func endedHandler() (h http.Handler, causes chan error) {
	causes = make(chan error, 10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "begun\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
	}), causes
}

func receive[T any](tb testing.TB, from chan T, what string) (value T) {
	tb.Helper()
	select {
	case value = <-from:
	case <-time.After(timeout):
		tb.Fatal("no " + what)
	}
	return value
}

// shortWrites makes every time-out pass soon.
func shortWrites(c *Config) {
	c.ReadHeaderTimeout, c.ReadTimeout, c.WriteTimeout = 100*time.Millisecond, 150*time.Millisecond, 200*time.Millisecond
}

func TestStreaming_OutlastsEveryTimeout(t *testing.T) {
	const lines = 20
	tick := func(w http.ResponseWriter, _ *http.Request) {
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for i := range lines {
			<-ticker.C
			if _, err := fmt.Fprintln(w, i); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
	r := startMounted(t, func(s *Server) {
		s.Mount("GET /stream", http.HandlerFunc(tick), Streaming())
		s.Mount("GET /cut", http.HandlerFunc(tick))
	}, shortWrites)

	res, err := http.Get(r.url("/stream"))
	require.NoError(t, err)
	defer res.Body.Close()
	scanner := bufio.NewScanner(res.Body)
	for i := range lines {
		require.True(t, scanner.Scan(), scanner.Err())
		require.Equal(t, fmt.Sprint(i), scanner.Text())
	}
	require.False(t, scanner.Scan())
	require.NoError(t, scanner.Err())

	res, err = http.Get(r.url("/cut"))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.Error(t, err, "the write time-out holds for what does not stream")
	require.NoError(t, res.Body.Close())
}

func TestHangup_EndsTheContext(t *testing.T) {
	h, causes := endedHandler()
	r := startMounted(t, func(s *Server) {
		s.Mount("GET /stream", h, Streaming())
		s.Mount("POST /stream", h, Streaming())
		s.Mount("GET /answer", h)
		s.Mount("POST /answer", h)
	})
	for _, request := range []string{
		"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
		"POST /stream HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"GET /answer HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /answer HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
	} {
		p := r.dial(t)
		p.send(request)
		readUntil(t, p.r, "begun\n")
		gone := time.Now()
		require.NoError(t, p.Close())
		require.ErrorIs(t, receive(t, causes, "end of the context"), context.Canceled)
		t.Logf("noticed after %v: %.12s", time.Since(gone), request)
	}
}

func readUntil(tb testing.TB, r *bufio.Reader, line string) {
	tb.Helper()
	for {
		got, err := r.ReadString('\n')
		require.NoError(tb, err)
		if got == line {
			return
		}
	}
}

func TestStreaming_EndsWithTheServer(t *testing.T) {
	h, causes := endedHandler()
	r := startMounted(t, func(s *Server) { s.Mount("GET /stream", h, Streaming()) })
	p := r.dial(t)
	p.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
	readUntil(t, p.r, "begun\n")
	require.NoError(t, r.ended())
	require.ErrorIs(t, receive(t, causes, "end of the context"), errDraining)
}

func TestStreaming_CutsAClientThatDoesNotRead(t *testing.T) {
	failed := make(chan error, 1)
	r := startMounted(t, func(s *Server) {
		s.Mount("GET /stream", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			block := []byte(strings.Repeat("x", 1<<20))
			for {
				if _, err := w.Write(block); err != nil {
					failed <- err
					return
				}
			}
		}), Streaming(), WriteTimeout(100*time.Millisecond))
	})
	p := r.dial(t)
	p.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
	require.ErrorContains(t, receive(t, failed, "failed write"), "timeout")
}

// echoMessages sends back what it receives over a WebSocket.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = c.CloseNow() }()
	stop := context.AfterFunc(r.Context(), func() { _ = c.Close(websocket.StatusGoingAway, "the server ends") })
	defer stop()
	forever := context.Background() // the end of a context would cut the connection
	for {
		kind, message, err := c.Read(forever)
		if err != nil {
			return
		}
		if err := c.Write(forever, kind, message); err != nil {
			return
		}
	}
}

func TestUpgrade_WebSocket(t *testing.T) {
	r := startMounted(t, func(s *Server) { s.Mount("GET /socket", http.HandlerFunc(echoMessages), Streaming()) }, shortWrites)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+r.Addr()+"/socket", nil)
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	for i := range 100 {
		// Blank lines, which the server looks for in requests.
		sent := fmt.Sprintf("%d\r\n\r\n%s", i, strings.Repeat("long ", i*20))
		require.NoError(t, c.Write(ctx, websocket.MessageText, []byte(sent)))
		_, got, err := c.Read(ctx)
		require.NoError(t, err)
		require.Equal(t, sent, string(got))
	}
	require.EqualValues(t, 1, r.web.ln.open.Load())

	r.stop()
	_, _, err = c.Read(ctx)
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err), "%v", err)
	require.NoError(t, r.ended())
	require.Zero(t, r.web.ln.open.Load())
	require.Zero(t, r.web.ln.busy.Load())
	require.EqualValues(t, 1, valueOf(t, r.metrics.requests.WithLabelValues("/socket", "101")))
}

func TestUpgrade_IsCutAtTheShutdownTimeout(t *testing.T) {
	r := startMounted(t, func(s *Server) {
		s.Mount("GET /socket", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			nc, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = io.WriteString(nc, "begun\n")
				_, _ = io.Copy(io.Discard, nc) // whatever the server wants
			}
		}), Streaming())
	}, func(c *Config) { c.ShutdownTimeout = 200 * time.Millisecond })
	p := r.dial(t)
	p.send("GET /socket HTTP/1.1\r\nHost: h\r\n\r\n")
	readUntil(t, p.r, "begun\n")
	require.ErrorContains(t, r.ended(), "connections cut")
	p.requireClosed()
}
