package stream

import (
	"context"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// While Redis is frozen every request ends by its own timer, memory stays
// bounded, and afterwards all goes on.
func TestPublish_EndsByItsOwnTimerWhileRedisHangs(t *testing.T) {
	// Far apart, so that it is plain which of them ended a request.
	const timeout, connTimeout = 300 * time.Millisecond, time.Minute
	server := servers.Redis(t)
	c := newClient(t, server.URL(), func(r *RedisConfig, cfg *Config) {
		r.Timeout, r.DialTimeout = connTimeout, connTimeout
		cfg.PublishTimeout, cfg.QueueEvents = timeout, 2000
	})
	ctx := testContext(t)
	require.NoError(t, c.Publish(ctx, sample(0, 1)))
	heap := heapInUse()
	require.NoError(t, server.Pause())

	var wg sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	until := time.Now().Add(5 * time.Second)
	for range 64 {
		wg.Go(func() {
			events := sample(0, 10)
			for time.Now().Before(until) {
				start := time.Now()
				err := c.Publish(ctx, events)
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
				if err == nil {
					t.Error("published while Redis was frozen")
				}
				if time.Since(start) < time.Millisecond {
					runtime.Gosched()
					<-time.After(5 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	t.Logf("%d requests, p50 %v, p99 %v, max %v", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	require.Less(t, took[len(took)-1], connTimeout/2)
	require.Less(t, heapInUse(), heap+64<<20)

	require.NoError(t, server.Resume())
	require.Eventually(t, func() bool { return c.Publish(ctx, sample(0, 1)) == nil }, 10*time.Second, 10*time.Millisecond)
}

func TestCalls_EndWithTheirContextWhileRedisHangs(t *testing.T) {
	c := newClient(t, newPaused(t).URL()) // its own time limits are far
	for name, call := range map[string]func(context.Context) error{
		"ping":   c.Ping,
		"group":  c.EnsureGroup,
		"stats":  func(ctx context.Context) error { _, err := c.Stats(ctx); return err },
		"ack":    func(ctx context.Context) error { _, err := c.Ack(ctx, []string{"1-1"}); return err },
		"read":   func(ctx context.Context) error { _, err := c.Read(ctx, "a", 1, time.Minute); return err },
		"behind": func(ctx context.Context) error { _, err := c.Pending(ctx, "a", "0", 1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
			defer cancel()
			requireUnavailable(t, call(ctx), reasonTimeout)
		})
	}
}

func TestOpen_WithRedisDown(t *testing.T) {
	server := servers.Redis(t)
	require.NoError(t, server.Stop())
	c := newClient(t, server.URL())

	ctx := testContext(t)
	requireUnavailable(t, c.Publish(ctx, sample(0, 1)), reasonConnection)
	requireUnavailable(t, c.Ping(ctx), reasonConnection)
	requireUnavailable(t, c.EnsureGroup(ctx), reasonConnection)
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { return c.Publish(ctx, sample(0, 1)) == nil }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, c.Ping(ctx))
	require.NoError(t, c.EnsureGroup(ctx))
}

// An address that leads nowhere must not delay the start.
func TestOpen_DoesNotDial(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dialled := make(chan struct{}, 100)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			dialled <- struct{}{}
			_ = conn.Close()
		}
	})
	c := newClient(t, "redis://"+ln.Addr().String())
	require.Empty(t, dialled)
	require.Error(t, c.Ping(testContext(t)))
	require.NotEmpty(t, dialled)
	require.NoError(t, ln.Close())
	accepting.Wait()
}

func TestPublish_ConfirmedEventsSurviveKill(t *testing.T) {
	server := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	c := newClient(t, server.URL())
	ctx := testContext(t)
	var mu sync.Mutex
	var confirmed []string
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				events := sample(i, 2)
				if c.Publish(ctx, events) != nil {
					<-time.After(10 * time.Millisecond)
					continue
				}
				mu.Lock()
				confirmed = append(confirmed, ids(events)...)
				mu.Unlock()
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(confirmed) }
	for range 3 {
		goal := count() + 500
		require.Eventually(t, func() bool { return count() > goal }, 10*time.Second, time.Millisecond)
		require.NoError(t, server.Kill())
		require.NoError(t, server.Start())
	}
	goal := count() + 500
	require.Eventually(t, func() bool { return count() > goal }, 10*time.Second, time.Millisecond)
	close(stop)
	wg.Wait()
	there := onStream(t, c)
	slices.Sort(there)
	for _, id := range confirmed {
		_, found := slices.BinarySearch(there, id)
		require.True(t, found, "confirmed and gone: %s", id)
	}
}

// After a failover the address leads to another server, while the connections
// made before still lead to what has become a replica.
func TestConn_FollowsTheAddressAfterFailover(t *testing.T) {
	old, next := servers.Redis(t), servers.Redis(t)
	name := newForwarder(t, old.Addr())
	c := newClient(t, "redis://"+name.addr())
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	publish := func(n int) error { // over every connection there may be
		for range n {
			if err := c.Publish(ctx, sample(0, 1)); err != nil {
				return err
			}
		}
		return nil
	}
	const many = 50
	require.NoError(t, publish(many))

	name.lead(next.Addr())
	say(t, newClient(t, old.URL()), "REPLICAOF", "127.0.0.1", "1")
	requireUnavailable(t, publish(many), reasonReadOnly)
	require.Eventually(t, func() bool { return publish(many) == nil }, 5*time.Second, 10*time.Millisecond)
	require.GreaterOrEqual(t, len(onStream(t, newClient(t, next.URL()))), many)
}

// forwarder is an address that leads to a server, and later to another.
type forwarder struct {
	ln net.Listener
	mu sync.Mutex
	to string
}

func newForwarder(t *testing.T, to string) *forwarder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &forwarder{ln: ln, to: to}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			out, err := net.Dial("tcp", f.to)
			f.mu.Unlock()
			if err != nil {
				_ = in.Close()
				continue
			}
			wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
			wg.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		}
	})
	t.Cleanup(func() { _ = ln.Close() })
	return f
}

func (f *forwarder) addr() string { return f.ln.Addr().String() }

func (f *forwarder) lead(to string) {
	f.mu.Lock()
	f.to = to
	f.mu.Unlock()
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
