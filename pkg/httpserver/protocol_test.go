package httpserver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const events = "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"

// TestProtocol sends what is on the left byte by byte as it stands, and then
// sees whether the connection is still good.
func TestProtocol(t *testing.T) {
	r := start(t, &fake{})
	long := strings.Repeat("x", 20<<10)
	for _, row := range []struct {
		name, send string
		status     int
		closed     bool
		body       string // what the ingester got
	}{
		{"content-length", events + "Content-Length: 2\r\n\r\n{}", 202, false, "{}"},
		{"chunked", events + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 202, false, "{}"},
		{"chunked in pieces", events + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\n\r\n", 202, false, "{}"},
		{"chunked with a blank line inside", events + "Transfer-Encoding: chunked\r\n\r\n6\r\n{\r\n\r\n}\r\n0\r\n\r\n", 202, false, "{\r\n\r\n}"},
		{"chunked with a trailer", events + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 7\r\n\r\n", 202, false, "{}"},
		{"bare line feeds", strings.ReplaceAll(events, "\r", "") + "Content-Length: 2\n\n{}", 202, false, "{}"},
		{"the same length twice", events + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 202, false, "{}"},
		{"HTTP/1.0", "POST /api/v1/events HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", 202, true, "{}"},
		{"HTTP/1.0 kept alive", "POST /api/v1/events HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 202, false, "{}"},
		{"asked to close", events + "Connection: close\r\nContent-Length: 2\r\n\r\n{}", 202, true, "{}"},
		{"absolute target", strings.Replace(events, " /", " http://h/", 1) + "Content-Length: 2\r\n\r\n{}", 202, false, "{}"},
		{"empty body", events + "Content-Length: 0\r\n\r\n", 202, false, ""},
		{"no body", events + "\r\n", 202, false, ""},

		{"both framings", events + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, true, ""},
		{"both framings, other order, odd case", events + "tRANSFER-eNCODING: chunked\r\ncONTENT-lENGTH: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, true, ""},
		{"both framings, no body", events + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true, ""},
		{"both framings on health", "GET /api/v1/events/health HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true, ""},
		{"HTTP/1.0 chunked", "POST /api/v1/events HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true, ""},
		{"HTTP/1.0 both framings", "POST /api/v1/events HTTP/1.0\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400, true, ""},
		{"two lengths", events + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, true, ""},
		{"length list", events + "Content-Length: 2, 2\r\n\r\n{}", 400, true, ""},
		{"negative length", events + "Content-Length: -2\r\n\r\n{}", 400, true, ""},
		{"signed length", events + "Content-Length: +2\r\n\r\n{}", 400, true, ""},
		{"length past 64 bits", events + "Content-Length: 99999999999999999999\r\n\r\n{}", 400, true, ""},
		{"field with a space before the colon", events + "Content-Length : 2\r\n\r\n{}", 400, true, ""},
		{"unknown transfer encoding", events + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, true, ""},
		{"two transfer encodings", events + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501, true, ""},
		{"chunk size not hexadecimal", events + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400, true, ""},
		{"chunk size past 64 bits", events + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", 400, true, ""},
		{"chunk size huge", events + "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n" + strings.Repeat(" ", 80<<10), 413, true, ""},
		{"chunk without its end", events + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n", 400, true, ""},
		{"chunk extension without end", events + "Transfer-Encoding: chunked\r\n\r\n2;" + long, 400, true, ""},
		{"trailer without end", events + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: " + long + "\r\n\r\n", 400, true, ""},
		{"not HTTP", "hello\r\n\r\n", 400, true, ""},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, true, ""},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true, ""},
		{"HTTP/3", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505, true, ""},
		{"no host", "POST /api/v1/events HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, true, ""},
		{"two hosts", events + "Host: i\r\nContent-Length: 2\r\n\r\n{}", 400, true, ""},
		{"control character in a field", events + "X: a\x01b\r\nContent-Length: 2\r\n\r\n{}", 400, true, ""},
		{"headers too large", events + "X: " + long + "\r\n\r\n", 431, true, ""},
		{"too many headers", events + strings.Repeat("X: y\r\n", 3000) + "\r\n", 431, true, ""},
		{"request line too long", "GET /" + long + " HTTP/1.1\r\nHost: h\r\n\r\n", 431, true, ""},
		{"unknown expectation", events + "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417, true, ""},

		{"too large, announced", events + "Content-Length: 65537\r\n\r\n", 413, true, ""},
		{"too large, by far", events + "Content-Length: 9223372036854775807\r\n\r\n", 413, true, ""},
		{"too large, chunked", events + "Transfer-Encoding: chunked\r\n\r\n10001\r\n" + strings.Repeat(" ", 65537) + "\r\n0\r\n\r\n", 413, true, ""},
		{"just large enough", events + "Content-Length: 65536\r\n\r\n" + strings.Repeat(" ", 65536), 202, false, strings.Repeat(" ", 65536)},
		{"just large enough, chunked", events + "Transfer-Encoding: chunked\r\n\r\n10000\r\n" + strings.Repeat(" ", 65536) + "\r\n0\r\n\r\n", 202, false, strings.Repeat(" ", 65536)},

		{"unknown path", "GET /nothing?here HTTP/1.1\r\nHost: h\r\n\r\n", 404, false, ""},
		{"unknown path with a body", "POST /api/v1/events/ HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 404, false, ""},
		{"server-wide options", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 404, false, ""},
		{"wrong method", "PUT /api/v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 405, false, ""},
		{"unheard-of method", "BREW /api/v1/events/health HTTP/1.1\r\nHost: h\r\n\r\n", 405, false, ""},
		{"trace", "TRACE /api/v1/events HTTP/1.1\r\nHost: h\r\n\r\n", 405, false, ""},
		{"connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 404, false, ""},
		{"wrong media type", "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := len(r.fake.seen())
			p := r.dial(t)
			p.send(row.send)
			method, _, _ := strings.Cut(row.send, " ")
			a := p.answer(method)
			if row.status < 300 {
				require.Equal(t, row.status, a.StatusCode, a.body)
				require.Equal(t, []string{row.body}, r.fake.seen()[before:])
			} else {
				requireProblem(t, a, row.status)
				require.Len(t, r.fake.seen(), before)
			}
			require.Equal(t, row.closed, a.Close)
			if row.closed {
				p.requireClosed()
				return
			}
			p.send(events + "Content-Length: 2\r\n\r\n[]")
			require.Equal(t, 202, p.answer("POST").StatusCode)
			seen := r.fake.seen()
			require.Equal(t, "[]", seen[len(seen)-1])
		})
	}
}

func TestReadHeaderTimeout_Answers408(t *testing.T) {
	r := start(t, &fake{}, shortTimeouts)
	p := r.dial(t)
	p.send("POST /api/v1/events HT")
	a := p.answer("POST")
	requireProblem(t, a, http.StatusRequestTimeout)
	require.True(t, a.Close)
	p.requireClosed()
}

func TestReadHeaderTimeout_Answers408OnALaterRequest(t *testing.T) {
	r := start(t, &fake{}, shortTimeouts)
	p := r.dial(t)
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	require.Equal(t, 202, p.answer("POST").StatusCode)
	p.send(events + "Content-Len")
	requireProblem(t, p.answer("POST"), http.StatusRequestTimeout)
	p.requireClosed()
}

func TestIdleTimeout_ClosesWithoutAnAnswer(t *testing.T) {
	r := start(t, &fake{}, shortTimeouts, func(c *Config) { c.IdleTimeout = 200 * time.Millisecond })
	fresh := r.dial(t)
	used := r.dial(t)
	used.send(events + "Content-Length: 2\r\n\r\n{}")
	require.Equal(t, 202, used.answer("POST").StatusCode)
	used.requireClosed()
	fresh.requireClosed()
}

func TestReadTimeout_Answers408(t *testing.T) {
	r := start(t, &fake{}, shortTimeouts)
	for _, head := range []string{
		"Content-Length: 100\r\n\r\n{\"event_type\":",
		"Transfer-Encoding: chunked\r\n\r\n64\r\n{\"event_type\":",
		"Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b",
	} {
		p := r.dial(t)
		p.send(events + head)
		a := p.answer("POST")
		requireProblem(t, a, http.StatusRequestTimeout)
		require.True(t, a.Close)
		p.requireClosed()
	}
	require.Empty(t, r.fake.seen())
}

func TestReadTimeout_OfARouteReplacesTheServers(t *testing.T) {
	f := &fake{}
	r := startMounted(t, func(s *Server) {
		s.Mount("POST /soon", HandlerFunc(f.post), ReadTimeout(100*time.Millisecond))
		s.Mount("POST /usual", HandlerFunc(f.post))
		s.Mount("POST /late", HandlerFunc(f.post), ReadTimeout(time.Minute))
	}, shortTimeouts)
	stall := func(path string) *peer {
		p := r.dial(t)
		p.send("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
		return p
	}
	late := stall("/late")
	for _, path := range []string{"/soon", "/usual"} {
		p := stall(path)
		requireProblem(t, p.answer("POST"), http.StatusRequestTimeout)
		p.requireClosed()
	}
	// The server's own time-out has passed.
	late.send("}")
	require.Equal(t, http.StatusAccepted, late.answer("POST").StatusCode)
	require.Equal(t, []string{"{}"}, f.seen())
}

func TestReadBody_TruncatedIs400(t *testing.T) {
	r := start(t, &fake{})
	for _, head := range []string{
		"Content-Length: 100\r\n\r\n{}",
		"Transfer-Encoding: chunked\r\n\r\n64\r\n{}",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
	} {
		p := r.dial(t)
		p.send(events + head)
		require.NoError(t, p.CloseWrite())
		requireProblem(t, p.answer("POST"), http.StatusBadRequest)
		p.requireClosed()
	}
	require.Empty(t, r.fake.seen())
}

func TestHalfClosedClient_IsAnswered(t *testing.T) {
	r := start(t, &fake{})
	p := r.dial(t)
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	require.NoError(t, p.CloseWrite())
	require.Equal(t, 202, p.answer("POST").StatusCode)
}

func TestExpectContinue(t *testing.T) {
	r := start(t, &fake{})
	p := r.dial(t)
	p.send(events + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	line, err := p.r.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = p.r.ReadString('\n')
	require.NoError(t, err)
	p.send("{}")
	require.Equal(t, 202, p.answer("POST").StatusCode)

	// A body that is not wanted is not asked for.
	p = r.dial(t)
	p.send(events + "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
	requireProblem(t, p.answer("POST"), http.StatusRequestEntityTooLarge)
	p.requireClosed()
}

// TestPipelining sends many requests of both framings in one write, and in
// writes of every small size.
func TestPipelining(t *testing.T) {
	r := start(t, &fake{})
	var all strings.Builder
	var want []string
	for i := range 8 {
		body := fmt.Sprintf("{\"n\":\n\n%d}", i)
		want = append(want, body)
		if i%2 == 0 {
			fmt.Fprintf(&all, "%sContent-Length: %d\r\n\r\n%s", events, len(body), body)
		} else {
			fmt.Fprintf(&all, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", events, len(body), body)
		}
	}
	for _, size := range []int{all.Len(), 1, 2, 3, 7, 100, 500} {
		before := len(r.fake.seen())
		p := r.dial(t)
		go func() {
			for s := all.String(); s != ""; {
				n := min(size, len(s))
				if _, err := p.Write([]byte(s[:n])); err != nil {
					return
				}
				s = s[n:]
			}
		}()
		for range want {
			require.Equal(t, 202, p.answer("POST").StatusCode)
		}
		require.Equal(t, want, r.fake.seen()[before:])
	}
}

// TestSmuggling hides a request with both framings behind each sort of
// innocent one, in the same segment.
func TestSmuggling(t *testing.T) {
	r := start(t, &fake{})
	bad := events + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"
	for _, first := range []string{
		events + "Content-Length: 2\r\n\r\n{}",
		events + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		events + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n",
		events + "Content-Length: 2\r\n\r\n{}\r\n",
	} {
		p := r.dial(t)
		p.send(first + bad)
		require.Equal(t, 202, p.answer("POST").StatusCode)
		requireProblem(t, p.answer("POST"), http.StatusBadRequest)
		p.requireClosed()
	}
}

// TestRejectedBody_DoesNotResetTheAnswer sends much more than is wanted
// without looking.
func TestRejectedBody_DoesNotResetTheAnswer(t *testing.T) {
	f := &fake{}
	r := startWith(t, func(s *Server) {
		f.mount(s)
		s.web.ln.linger = timeout // however slowly the client sends
	}, f)
	for _, head := range []string{
		events + "Content-Length: 4194304\r\n\r\n",
		events + "X: " + strings.Repeat("x", 64<<10) + "\r\nContent-Length: 4194304\r\n\r\n",
		events + "Content-Length: 4194304\r\nContent-Length: 5\r\n\r\n",
	} {
		p := r.dial(t)
		p.send(head)
		p.send(strings.Repeat(" ", 4<<20))
		a := p.answer("POST")
		require.GreaterOrEqual(t, a.StatusCode, 400)
		require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"))
		p.requireClosed()
	}
}
