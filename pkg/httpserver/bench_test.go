package httpserver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchBody is a body of ordinary size.
var benchBody = `{"event_type":"push","source":"github","timestamp":"2024-05-01T12:00:00Z","payload":{"text":"` +
	strings.Repeat("x", 400) + `"}}`

func newBench(b *testing.B, opts ...Option) *Server {
	cfg := DefaultConfig()
	cfg.Addr, cfg.DrainDelay = "127.0.0.1:0", 0
	s, err := New(cfg, quiet(), newRegistry())
	require.NoError(b, err)
	s.Mount("POST /api/v1/events", HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		if err := RequireJSON(r); err != nil {
			return err
		}
		if _, err := ReadBody(w, r); err != nil {
			return err
		}
		WriteJSON(w, http.StatusAccepted, accepted)
		return nil
	}), opts...)
	return s
}

// BenchmarkHandler is a request from its headers to its answer, without a
// network.
func BenchmarkHandler(b *testing.B) {
	s := newBench(b)
	h := s.web.http.Handler
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/api/v1/events", strings.NewReader(benchBody))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// bare is the least that net/http could do for the same answer.
func bare(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(accepted)
}

// BenchmarkLoopback is one request after the other over one connection.
func BenchmarkLoopback(b *testing.B) {
	for name, opts := range map[string][]Option{"server": nil, "server, hang-ups ignored": {IgnoreHangup()}} {
		b.Run(name, func(b *testing.B) {
			s := newBench(b, opts...)
			serveAndRun(b, s.Listen, s.Addr, s.web.http.Serve, func() net.Listener { return s.web.ln }, s.Close)
		})
	}
	b.Run("bare", func(b *testing.B) {
		srv := &http.Server{Handler: http.HandlerFunc(bare)}
		var ln net.Listener
		listen := func() (err error) { ln, err = net.Listen("tcp", "127.0.0.1:0"); return err }
		serveAndRun(b, listen, func() string { return ln.Addr().String() }, srv.Serve, func() net.Listener { return ln }, srv.Close)
	})
}

func serveAndRun(b *testing.B, listen func() error, addr func() string, serve func(net.Listener) error, ln func() net.Listener, stop func() error) {
	require.NoError(b, listen())
	done := make(chan error, 1)
	go func() { done <- serve(ln()) }()
	nc, err := net.Dial("tcp", addr())
	require.NoError(b, err)
	request := []byte(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", events, len(benchBody), benchBody))
	r := bufio.NewReader(nc)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(request); err != nil {
			b.Fatal(err)
		}
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
			if field, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(field[:len(field)-2]))
			}
		}
		if _, err := r.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, nc.Close())
	require.NoError(b, stop())
	<-done
}
