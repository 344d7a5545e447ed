package bench

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnswersAreReadHoweverTheyAreFramed(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		status int
		last   bool
	}{
		"plain":        {"HTTP/1.1 202 Accepted\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello", 202, false},
		"any case":     {"HTTP/1.1 202 Accepted\r\ncOnTeNt-lEnGtH:5\r\nconTent-Type: a\r\n\r\nhello", 202, false},
		"empty":        {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 202, false},
		"no reason":    {"HTTP/1.1 202\r\nContent-Length: 5\r\n\r\nhello", 202, false},
		"chunked":      {"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 202, false},
		"preliminary":  {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello", 202, false},
		"no content":   {"HTTP/1.1 204 No Content\r\n\r\n", 204, false},
		"last":         {"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 202, true},
		"long head":    {"HTTP/1.1 202 Accepted\r\nX-Long: " + strings.Repeat("x", 9000) + "\r\nContent-Length: 5\r\n\r\nhello", 202, false},
		"long body":    {"HTTP/1.1 202 Accepted\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000), 202, false},
		"refusal":      {"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello", 400, false},
		"long refusal": {"HTTP/1.1 400 Bad Request\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("hello", 10000), 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			c := newConn(t.Context(), client, time.Minute)
			defer c.Close()
			go func() {
				_, _ = io.CopyN(io.Discard, server, 2)
				for piece := range strings.SplitAfterSeq(tt.text, "e") { // in pieces
					_, _ = io.WriteString(server, piece)
				}
				_, _ = io.CopyN(io.Discard, server, 2)
				_, _ = io.WriteString(server, "HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nwhy")
				_ = server.Close()
			}()
			a, err := c.do([]byte("go"), time.Now())
			require.NoError(t, err)
			require.Equal(t, tt.status, a.status)
			require.Equal(t, tt.last, a.last)
			// What was left of the first would spoil the second.
			a, err = c.do([]byte("go"), time.Now())
			require.NoError(t, err)
			require.Equal(t, 503, a.status)
			require.Equal(t, "why", a.excerpt)
		})
	}
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	for _, text := range []string{
		"", "HTTP/1.1", "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n", "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "SMTP ready\r\n\r\n", "HTTP/1.1 2x2 Accepted\r\nContent-Length: 0\r\n\r\n",
	} {
		client, server := net.Pipe()
		c := newConn(t.Context(), client, time.Minute)
		go func() {
			_, _ = io.CopyN(io.Discard, server, 2)
			_, _ = io.WriteString(server, text)
			_ = server.Close()
		}()
		_, err := c.do([]byte("go"), time.Now())
		require.Error(t, err, text)
		require.NotEmpty(t, unanswered(err))
		_ = c.Close()
	}
}

func TestTargets(t *testing.T) {
	for url, want := range map[string]target{
		"http://localhost:3000":      {addr: "localhost:3000", host: "localhost:3000", path: "/api/v1/events"},
		"http://[::1]:3000/":         {addr: "[::1]:3000", host: "[::1]:3000", path: "/api/v1/events"},
		"https://events.example.com": {tls: true, addr: "events.example.com:https", host: "events.example.com", path: "/api/v1/events"},
		"http://x/a%20b/":            {addr: "x:http", host: "x", path: "/a%20b/api/v1/events"},
	} {
		got, err := parseTarget(url, false)
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = parseTarget(url, true)
		require.NoError(t, err)
		require.Equal(t, want.path+"/batch", got.path)
	}
}

// A connection that was idle for long is not trusted with a request.
func TestIdleConnectionsAreMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		dials := 0
		f.refuse = func() bool { dials++; return false }
		r := f.run(t.Context(), func(o *Options) { atRate(1.0 / 40)(o); o.Duration = 3 * time.Minute }, nil)
		require.EqualValues(t, 5, r.Accepted)
		require.Equal(t, 5, dials)
	})
}
