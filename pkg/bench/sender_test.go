package bench

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// newTestSender returns a sender to a server that answers every request with
// handler, and its recorder.
func newTestSender(t *testing.T, handler http.HandlerFunc) *sender {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	target, err := parseTarget(server.URL, false)
	require.NoError(t, err)
	s := &sender{
		url: target.url, dial: target.dialer(time.Minute), timeout: time.Minute,
		recorder: newRecorder(), request: newRequest(newTemplate("0123abcd", 300), 1), sent: new(sentLog),
	}
	require.NoError(t, s.connect(t.Context()))
	t.Cleanup(s.close)
	return s
}

func TestSender_ReadsAnswersHoweverTheyAreFramed(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		body    string
		chunked bool
		excerpt string
	}{
		"plain":          {202, "hello", false, ""},
		"empty":          {202, "", false, ""},
		"chunked":        {202, "hello", true, ""},
		"long":           {202, strings.Repeat("x", 50_000), false, ""},
		"rejection":      {400, " why ", false, "why"},
		"long rejection": {400, strings.Repeat("x", 50_000), true, strings.Repeat("x", excerptBytes)},
	} {
		t.Run(name, func(t *testing.T) {
			connections := map[string]bool{}
			s := newTestSender(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				connections[r.RemoteAddr] = len(body) == 300
				w.WriteHeader(tt.status)
				if tt.chunked {
					w.(http.Flusher).Flush()
				}
				_, _ = io.WriteString(w, tt.body)
			})
			for range 3 {
				s.request.renew(time.Now())
				a, err := s.post(t.Context())
				require.NoError(t, err)
				require.Equal(t, answer{tt.status, tt.excerpt}, a)
			}
			require.Len(t, connections, 1)
			require.NotContains(t, connections, false)
			require.Greater(t, s.traffic.sent.Load(), int64(900))
			require.Positive(t, s.traffic.received.Load())
		})
	}
}

func TestSender_HalfAnAnswerIsNone(t *testing.T) {
	for _, text := range []string{
		"", "HTTP/1.1", "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n", "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "SMTP ready\r\n\r\n", "HTTP/1.1 2x2 Accepted\r\nContent-Length: 0\r\n\r\n",
	} {
		s := newTestSender(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		})
		s.once(t.Context(), t.Context(), time.Now())
		require.EqualValues(t, 1, s.recorder.answers[noAnswer], text)
		require.NotEmpty(t, s.recorder.examples[noAnswer])
		require.EqualValues(t, 1, count([]*sentLog{s.sent}, unclear), "it may be stored")
	}
}

// What never left is not looked for.
func TestSender_DoesNotLogWhatWasNotSent(t *testing.T) {
	s := newTestSender(t, nil)
	s.close()
	s.first = nil
	s.dial = func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: io.ErrClosedPipe}
	}
	s.once(t.Context(), t.Context(), time.Now())
	require.EqualValues(t, 1, s.recorder.answers[noAnswer])
	require.Zero(t, count([]*sentLog{s.sent}, unclear))
}

func TestParseTarget(t *testing.T) {
	for url, want := range map[string]target{
		"http://localhost:3000":      {addr: "localhost:3000", url: "http://localhost:3000/api/v1/events"},
		"http://[::1]:3000/":         {addr: "[::1]:3000", url: "http://[::1]:3000/api/v1/events"},
		"https://events.example.com": {tls: true, addr: "events.example.com:https", url: "https://events.example.com/api/v1/events"},
		"http://x/a%20b/":            {addr: "x:http", url: "http://x/a%20b/api/v1/events"},
	} {
		got, err := parseTarget(url, false)
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = parseTarget(url, true)
		require.NoError(t, err)
		require.Equal(t, want.url+"/batch", got.url)
	}
}

// A connection that was idle for long is not trusted with a request.
func TestSender_RedialsAfterALongIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		dials := 0
		f.refuse = func() bool { dials++; return false }
		r := f.run(t.Context(), func(o *Options) { atRate(1.0 / 40)(o); o.Duration = 3 * time.Minute }, nil)
		require.EqualValues(t, 5, r.Accepted)
		require.Equal(t, 5, dials)
	})
}
