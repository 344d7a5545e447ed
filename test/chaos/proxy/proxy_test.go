package proxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that says back what it hears, and keeps it.
type echo struct {
	listener net.Listener
	mu       sync.Mutex
	heard    bytes.Buffer
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &echo{listener: listener}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(io.MultiWriter(e, conn), conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return e
}

func (e *echo) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.Write(b)
}

func (e *echo) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.String()
}

func newTestProxy(t *testing.T) (*echo, *Proxy) {
	t.Helper()
	e := newEcho(t)
	p, err := NewProxy(e.listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return e, p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

// says sends text and expects it back.
func says(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	back := make([]byte, len(text))
	_, err = io.ReadFull(conn, back)
	require.NoError(t, err)
	require.Equal(t, text, string(back))
}

// isCut expects the connection to end other than in order.
func isCut(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, conn)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// turnsAway expects no new connection to come to anything.
func turnsAway(t *testing.T, p *Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return // reset that early
	}
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	isCut(t, conn)
}

func TestPassesOnWhatIsSaid(t *testing.T) {
	_, p := newTestProxy(t)
	conn := dial(t, p)
	says(t, conn, "hello")

	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		_, _ = conn.Write(large)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	back, err := io.ReadAll(conn)
	require.NoError(t, err, "an end in order stays one")
	require.Equal(t, large, back)
}

func TestReset(t *testing.T) {
	_, p := newTestProxy(t)
	conn := dial(t, p)
	says(t, conn, "hello")
	p.Reset()
	isCut(t, conn)
	says(t, dial(t, p), "again")
}

func TestRefuse(t *testing.T) {
	_, p := newTestProxy(t)
	conn := dial(t, p)
	says(t, conn, "hello")
	p.Refuse(true)
	isCut(t, conn)
	turnsAway(t, p)
	p.Refuse(false)
	says(t, dial(t, p), "again")
}

func TestServerAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	p, err := NewProxy(listener.Addr().String())
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	turnsAway(t, p)
}

func TestSwallowReplies(t *testing.T) {
	e, p := newTestProxy(t)
	conn := dial(t, p)
	says(t, conn, "hello ")
	p.Swallow(Down, true)
	_, err := io.WriteString(conn, "anybody?")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return e.text() == "hello anybody?" }, 10*time.Second, time.Millisecond)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)

	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	p.Swallow(Down, false)
	isCut(t, conn)
	says(t, dial(t, p), "again")
}

func TestSwallowBothWays(t *testing.T) {
	e, p := newTestProxy(t)
	conn := dial(t, p)
	says(t, conn, "hello")
	p.Swallow(Up, true)
	p.Swallow(Down, true)
	_, err := io.WriteString(conn, "lost")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Equal(t, "hello", e.text())
}

func TestDelay(t *testing.T) {
	_, p := newTestProxy(t)
	p.Delay(60*time.Millisecond, 20*time.Millisecond)
	conn := dial(t, p)
	begin := time.Now()
	says(t, conn, "hello")
	require.GreaterOrEqual(t, time.Since(begin), 40*time.Millisecond)
}

func TestTrapCutsInTheMiddle(t *testing.T) {
	e, p := newTestProxy(t)
	conn := dial(t, p)
	says(t, conn, "hello ")
	sprung := make(chan error, 1)
	go func() { sprung <- p.Trap(t.Context(), Up, MidXADD) }()
	require.Eventually(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.trap != nil }, 10*time.Second, time.Millisecond)
	says(t, conn, "ping ")
	_, err := io.WriteString(conn, "XADD1234")
	require.NoError(t, err)
	require.NoError(t, <-sprung)
	isCut(t, conn)
	require.Eventually(t, func() bool { return e.text() == "hello ping XADD" }, 10*time.Second, time.Millisecond)
	says(t, dial(t, p), "XADD: sprung once")
}

func TestTrapThatNothingComesBy(t *testing.T) {
	_, p := newTestProxy(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Trap(ctx, Down, Committed), context.Canceled)
	says(t, dial(t, p), "INSERT 0 1\x00Z\x00\x00\x00\x05I")
}

func TestMatches(t *testing.T) {
	for text, want := range map[string]bool{
		"C\x00\x00\x00\x0fINSERT 0 5\x00Z\x00\x00\x00\x05I": true,
		"C\x00\x00\x00\x0fINSERT 0 5\x00Z\x00\x00\x00\x05T": false, // in a transaction
		"C\x00\x00\x00\x0bCOMMIT\x00Z\x00\x00\x00\x05I":     true,
		"C\x00\x00\x00\x0bCOPY 12\x00Z\x00\x00\x00\x05I":    true,
		"WCOPY events, line 12\x00\x00Z\x00\x00\x00\x05I":   false, // refused
		"C\x00\x00\x00\x0bSELECT 1\x00Z\x00\x00\x00\x05I":   false,
	} {
		_, ok := Committed([]byte(text))
		require.Equal(t, want, ok, "%q", text)
	}
	cut, ok := MidInsert([]byte("P\x00 insert into events"))
	require.True(t, ok)
	require.Equal(t, 10, cut)
	_, ok = MidInsert([]byte("Q\x00COPY events (event_id) FROM STDIN (FORMAT binary)\x00d"))
	require.True(t, ok)
	_, ok = MidXADD([]byte("*1\r\n$4\r\nPING\r\n"))
	require.False(t, ok)
}
