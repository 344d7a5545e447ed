package measure

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSender(t *testing.T) {
	for _, interval := range []time.Duration{0, 100 * time.Microsecond} {
		var mu sync.Mutex
		seen, answered := map[string]int{}, map[int]time.Time{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			seen[r.Method+r.URL.Path+r.Header.Get("Content-Type")+string(body)]++
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, strings.Repeat("x", len(seen)))
		}))
		const requests = 50
		sent, err := Sender{
			Addr: server.Listener.Addr().String(), Path: "/x", Connections: 3, Requests: requests, Interval: interval,
			Body: func(n int, buf []byte) []byte { return strconv.AppendInt(buf, int64(n), 10) },
			Answered: func(n int, at time.Time) {
				mu.Lock()
				defer mu.Unlock()
				answered[n] = at
			},
		}.Run(t.Context())
		server.Close()
		require.NoError(t, err)
		require.Len(t, seen, requests)
		require.Len(t, answered, requests)
		for n := range requests {
			require.Equal(t, 1, seen["POST/xapplication/json"+strconv.Itoa(n)])
			require.Positive(t, sent.Times[n])
			require.LessOrEqual(t, sent.Times[n], sent.Elapsed)
		}
		require.GreaterOrEqual(t, sent.Elapsed, (requests-1)*interval)
	}
}

func TestSenderStopsAtARefusal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	s := Sender{
		Addr: server.Listener.Addr().String(), Path: "/", Connections: 2, Requests: 1 << 30,
		Body: func(_ int, buf []byte) []byte { return buf },
	}
	_, err := s.Run(t.Context())
	require.ErrorContains(t, err, "503")
}

func TestSenderStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the end
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	s := Sender{
		Addr: server.Listener.Addr().String(), Path: "/", Connections: 1, Requests: 1,
		Body: func(_ int, buf []byte) []byte { return append(buf, '{') },
	}
	_, err := s.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestReadAccepted(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("HTTP/1.1 202 Accepted\r\ncontent-length: 3\r\nX: y\r\n\r\nabcHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"))
	require.NoError(t, readAccepted(r))
	require.NoError(t, readAccepted(r))
	require.ErrorIs(t, readAccepted(r), io.EOF)
	for _, bad := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 202 Accepted\r\nContent-Length: much\r\n\r\n",
		"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nabc",
	} {
		require.Error(t, readAccepted(bufio.NewReader(strings.NewReader(bad))), bad)
	}
}
