package httpserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script is a connection on which data arrives in pieces of random sizes.
type script struct {
	net.Conn
	data  []byte
	sizes *rand.Rand
	most  int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := min(1+s.sizes.IntN(s.most), len(p), len(s.data))
	copy(p, s.data[:n])
	s.data = s.data[n:]
	return n, nil
}

// sent is one request of a stream.
type sent struct {
	text    string
	body    string
	doubted bool
}

func randomRequest(r *rand.Rand) sent {
	eol := [...]string{"\r\n", "\n"}[r.IntN(2)]
	var b strings.Builder
	line := func(s string) { b.WriteString(s + eol) }
	body := strings.Repeat("x", r.IntN(3))
	for range r.IntN(6) {
		body += [...]string{"\n", "\r\n", "\r", "\n\n", "Content-Length: 1\r\n", "0\r\n\r\n", strings.Repeat("long ", r.IntN(2000))}[r.IntN(7)]
	}
	var q sent
	line("POST / HTTP/1.1")
	line("Host: h")
	if r.IntN(2) == 0 {
		line("Cookie: " + strings.Repeat("c", r.IntN(5000)))
	}
	switch r.IntN(4) {
	case 0: // no body
		body = ""
		line("")
	case 1, 2:
		line(fmt.Sprintf("%s: %d", [...]string{"Content-Length", "content-length"}[r.IntN(2)], len(body)))
		line("")
		b.WriteString(body)
	case 3:
		if q.doubted = r.IntN(3) == 0; q.doubted {
			line("CONTENT-LENGTH: 3")
		}
		line("Transfer-Encoding: chunked")
		line("")
		for rest := body; rest != ""; {
			n := 1 + r.IntN(len(rest))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		b.WriteString("0\r\n")
		if r.IntN(3) == 0 {
			b.WriteString("Content-Length: 9\r\nTrailer: yes\r\n")
		}
		b.WriteString("\r\n")
	}
	q.text, q.body = b.String(), body
	return q
}

// TestConn_KeepsRequestsApart reads random streams of requests the way
// net/http does. Its buffer must be empty after each of them, and what the
// connection says of each must be about that one.
func TestConn_KeepsRequestsApart(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var stream bytes.Buffer
		var all []sent
		for range 1 + random.IntN(8) {
			q := randomRequest(random)
			all = append(all, q)
			stream.WriteString(q.text)
		}
		most := [...]int{1, 2, 3, 50, 5000, 50000}[random.IntN(6)]
		c := &conn{
			Conn: &script{data: stream.Bytes(), sizes: random, most: most},
			ln:   &listener{maxHead: 12 << 10},
		}
		r := bufio.NewReader(c)
		for i, q := range all {
			req, err := http.ReadRequest(r)
			require.NoError(t, err, "seed %d, request %d", seed, i)
			if req.ContentLength != 0 && r.Buffered() != 0 {
				t.Fatalf("seed %d, request %d: %d bytes too many after the head", seed, i, r.Buffered())
			}
			require.Equal(t, !q.doubted, c.begin(req, true), "seed %d, request %d:\n%s", seed, i, q.text)
			body, err := io.ReadAll(req.Body)
			require.NoError(t, err)
			require.Equal(t, q.body, string(body))
			require.Zero(t, r.Buffered(), "seed %d, request %d", seed, i)
			c.idle()
		}
		_, err := http.ReadRequest(r)
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestFraming(t *testing.T) {
	for head, want := range map[string]framing{
		"":                                  {},
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n": {},
		"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n":                   {length: true},
		"GET / HTTP/1.1\r\ncOnTeNt-LeNgTh:1\r\n\r\n":                    {length: true},
		"GET / HTTP/1.1\nTRANSFER-ENCODING:x\nContent-Length: 1\n\n":    {true, true},
		"GET / HTTP/1.1\r\nX: Content-Length: 1\r\n\r\n":                {},
		"GET / HTTP/1.1\r\nContent-Lengths: 1\r\n\r\n":                  {},
		"GET / HTTP/1.1\r\nContent-Length\r\n\r\n":                      {},
		"GET / HTTP/1.1\r\nContent-Type: a\r\nTransfer-Encoding: b\r\n": {coding: true},
	} {
		require.Equal(t, want, framingOf([]byte(head)), head)
	}
}

func TestBlankLine(t *testing.T) {
	for block, want := range map[string]int{
		"": 0, "\n": 0, "\r\n": 0, "a\r\n": 0, "a\r\n\r": 0, "a\n\n": 3, "a\r\n\r\n": 5, "a\n\r\nb": 4,
		"a\r\r\n": 0, "\n\n": 2, "a\nb\nc\n\nd": 7,
	} {
		require.Equal(t, want, blankLine([]byte(block), 0), "%q", block)
		for old := range max(want, 1) {
			require.Equal(t, want, blankLine([]byte(block), old), "%q from %d", block, old)
		}
	}
}

func TestPlainAnswer(t *testing.T) {
	const fields = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	status, detail, ok := plainAnswer("HTTP/1.1 400 Bad Request" + fields + "400 Bad Request: missing required Host header")
	require.True(t, ok)
	require.Equal(t, 400, status)
	require.Equal(t, "missing required Host header", detail)
	_, detail, ok = plainAnswer("HTTP/1.1 400 Bad Request" + fields + "400 Bad Request")
	require.True(t, ok)
	require.Empty(t, detail)
	for _, other := range []string{"", "HTTP/1.1", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 4x0 ", "hello world"} {
		_, _, ok = plainAnswer(other)
		require.False(t, ok, other)
	}
}

// FuzzConn checks that whatever arrives is handed up unaltered, whatever
// sizes it is asked for in.
func FuzzConn(f *testing.F) {
	f.Add([]byte(events+"Content-Length: 2\r\n\r\n{}"), uint64(1))
	f.Add([]byte("\n\n\r\n\r\n\n"), uint64(2))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 2))
		c := &conn{
			Conn: &script{data: bytes.Clone(data), sizes: random, most: 1 + random.IntN(100)},
			ln:   &listener{maxHead: 64},
		}
		var got []byte
		for {
			if random.IntN(4) == 0 {
				c.begin(&http.Request{ContentLength: random.Int64N(20), ProtoMajor: 1, ProtoMinor: 1}, true)
			}
			if c.body == 0 {
				c.idle() // only a body is read while a handler runs
			}
			p := make([]byte, 1+random.IntN(50))
			n, err := c.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || n == 0 {
				t.Fatalf("read %d bytes: %v", n, err)
			}
		}
		if !bytes.Equal(got, data) {
			t.Fatalf("got %q, want %q", got, data)
		}
	})
}

// again is a connection on which the same request arrives for ever.
type again struct {
	net.Conn
	request []byte
}

func (a again) Read(p []byte) (int, error) { return copy(p, a.request), nil }

// BenchmarkConn is what a request's bytes cost on their way up, beyond the
// reading itself.
func BenchmarkConn(b *testing.B) {
	request := []byte(fmt.Sprintf("%sUser-Agent: some client\r\nAccept: */*\r\nContent-Length: %d\r\n\r\n%s", events, len(benchBody), benchBody))
	c := &conn{Conn: again{request: request}, ln: &listener{maxHead: 16 << 10}}
	p := make([]byte, 4096)
	req := &http.Request{ContentLength: int64(len(benchBody)), ProtoMajor: 1, ProtoMinor: 1}
	b.SetBytes(int64(len(request)))
	for b.Loop() {
		if _, err := c.Read(p); err != nil || !c.begin(req, true) {
			b.Fatal("head", err)
		}
		if n, err := c.Read(p); err != nil || n != len(benchBody) {
			b.Fatal("body", n, err)
		}
		c.idle()
	}
}
