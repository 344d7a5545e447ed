package consumertest_test

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

// Redis cuts a client off whose reply exceeds client-output-buffer-limit. A
// consumer that starts knows nothing of the size of the entries, and has to get
// there all the same, whether they are new or were delivered before.
func TestConsumer_ReadsPastAnOutputBufferLimit(t *testing.T) {
	for _, size := range []int{10 << 10, 200 << 10} {
		for _, delivered := range []bool{false, true} {
			t.Run(strconv.Itoa(size)+" bytes, delivered before "+strconv.FormatBool(delivered), func(t *testing.T) {
				server := servers.Redis(t, "--client-output-buffer-limit", "normal 4mb 0 0")
				c := openStream(t, server, "events")
				require.NoError(t, c.EnsureGroup(t.Context()))
				n := 10_000 << 10 / size
				publish := publisher(t, server, "events")
				payload := strings.Repeat("x", size)
				for range n {
					publish([]string{"n", payload})
				}
				if delivered {
					for left := n; left > 0; left -= 10 {
						_, err := c.Read(t.Context(), "me", 10, 0)
						require.NoError(t, err)
					}
				}
				start(t, c, &sink{})
				eventually(t, func() bool { return left(t, c) == 0 })
			})
		}
	}
}

// With Redis at its memory limit nothing can be added, dead letters included.
// What is stored goes on being acknowledged and trimmed, which frees the memory
// that the dead letters wait for; nobody heals Redis from outside.
func TestConsumer_GoesOnWhileRedisIsOutOfMemory(t *testing.T) {
	server := servers.Redis(t, "--maxmemory-policy", "noeviction")
	c := openStream(t, server, "events")
	require.NoError(t, c.EnsureGroup(t.Context()))
	publish := publisher(t, server, "events")
	for i := range 40 { // more batches with poison than may be in hand
		publish([]string{"poison", ""})
		for range 100 {
			publish([]string{"n", strconv.Itoa(i) + strings.Repeat("x", 500)})
		}
	}
	r := connect(t, server)
	used := func() int64 {
		info, err := r.Do(t.Context(), r.B().Info().Section("memory").Build()).ToString()
		require.NoError(t, err)
		_, after, _ := strings.Cut(info, "\r\nused_memory:")
		text, _, _ := strings.Cut(after, "\r\n")
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
		return n
	}
	limit := used() - 100<<10
	require.NoError(t, r.Do(t.Context(), r.B().Arbitrary("CONFIG", "SET", "maxmemory", strconv.FormatInt(limit, 10)).Build()).Error())
	refused := r.Do(t.Context(), r.B().Arbitrary("XADD", "events", "*", "n", "1").Build()).Error()
	require.ErrorContains(t, refused, "OOM")

	s := &sink{}
	start(t, c, s, func(cfg *consumer.Config) { cfg.BatchSize, cfg.ClaimAfter = 100, time.Second })
	eventually(t, func() bool { return s.count() == 4000 })
	eventually(t, func() bool { return left(t, c) == 0 })
	eventually(t, func() bool {
		n, err := r.Do(t.Context(), r.B().Xlen().Key("events").Build()).AsInt64()
		require.NoError(t, err)
		return n < 400
	})
	require.EqualValues(t, 40, statsOf(t, c).DeadLetters)
}

// start runs a consumer of c until the test ends.
func start(t *testing.T, c consumer.Source, h consumer.Handler, change ...func(*consumer.Config)) {
	t.Helper()
	cfg := consumer.DefaultConfig()
	cfg.Consumer = "me"
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	run := consumer.New(cfg, []consumer.Source{c}, h, slog.New(slog.NewTextHandler(t.Output(), nil)), nil)
	go func() { defer close(done); run.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// sink is a handler that counts what it handled and rejects poison.
type sink struct {
	mu      sync.Mutex
	handled map[string]struct{}
}

// Handle implements consumer.Handler.
func (s *sink) Handle(_ context.Context, deliveries []event.Delivery) (out event.Outcome, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handled == nil {
		s.handled = map[string]struct{}{}
	}
	for _, d := range deliveries {
		if d.Fields[0] == "poison" {
			out.Rejected = append(out.Rejected, event.Rejection{Delivery: d, Reason: event.ReasonRejected, Message: "poison"})
			continue
		}
		s.handled[d.EntryID] = struct{}{}
		out.Done = append(out.Done, d)
	}
	return out, nil
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.handled)
}

// left returns how many entries are unread or pending.
func left(t *testing.T, g *stream.Group) int64 {
	t.Helper()
	s := statsOf(t, g)
	return s.Backlog + s.Pending
}

func statsOf(t *testing.T, g *stream.Group) stream.Stats {
	t.Helper()
	stats, err := stream.NewInspector(g.Partition()).Stats(t.Context(), g.Name())
	require.NoError(t, err)
	return stats
}

// eventually polls cond until it holds, and fails the test when it never does.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatal("never happened")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
