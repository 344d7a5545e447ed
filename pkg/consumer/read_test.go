package consumer_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/consumertest"
)

// sized returns the fields of n entries of so many bytes.
func sized(n, bytes int) [][]string {
	return slices.Repeat([][]string{{"n", strings.Repeat("x", bytes-1)}}, n)
}

// Nothing is known of the size of entries when a consumer starts: neither what
// is new, nor what is pending, nor what is claimed may exceed the bound.
func TestConsumer_ReadsWithinBatchBytesFromTheFirstRead(t *testing.T) {
	const each = 200 << 10
	for _, owner := range []string{"", "me", "peer"} {
		t.Run("pending with "+owner, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, held := consumertest.NewMemory(0), &held{}
				m.Publish(sized(600, each)...)
				if owner != "" {
					_, err := m.Read(t.Context(), owner, 600, 0)
					require.NoError(t, err)
				}
				cfg := consumer.DefaultConfig()
				start(t, held, sources(m), func(c *consumer.Config) { c.BatchSize = cfg.BatchSize })
				after(5 * time.Minute)
				require.Zero(t, m.PendingCount())
				require.LessOrEqual(t, held.largest, cfg.BatchBytes)
				require.LessOrEqual(t, held.most, cfg.Concurrency*cfg.BatchBytes)
				require.Greater(t, held.largest, cfg.BatchBytes/2, "and not far within")
			})
		})
	}
}

// A burst of entries larger than any before cannot be foreseen: the excess is
// that of one read, once, and is divided before it is handled.
func TestConsumer_BoundsABurstOfLargeEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, held := consumertest.NewMemory(0), &held{}
		m.Publish(sized(5000, 300)...)
		m.Publish(sized(500, 1<<20)...)
		cfg := consumer.DefaultConfig()
		start(t, held, sources(m), func(c *consumer.Config) { c.BatchSize = cfg.BatchSize })
		after(time.Minute)
		require.Zero(t, m.PendingCount())
		require.LessOrEqual(t, held.largest, cfg.BatchBytes)
		limits := m.Limits()
		require.LessOrEqual(t, limits[len(limits)-2], 8, "eight of them are as much as there may be")
	})
}

func TestConsumer_ReadsAnEntryLargerThanABatchAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, held := consumertest.NewMemory(0), &held{}
		m.Publish(sized(20, 10<<10)...)
		start(t, held, sources(m), func(c *consumer.Config) { c.BatchBytes = 4 << 10 })
		after(time.Minute)
		require.Zero(t, m.PendingCount())
		require.Equal(t, 10<<10, held.largest)
	})
}

// A reply that is too large never arrives, for the link is slow or the server
// cuts the connection. Asking for as much again would go on for ever.
func TestConsumer_AsksForLessAfterAReadThatFailed(t *testing.T) {
	for _, owner := range []string{"", "me", "peer"} {
		t.Run("pending with "+owner, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, held := consumertest.NewMemory(0), &held{}
				m.Publish(sized(1000, 20<<10)...)
				if owner != "" {
					_, err := m.Read(t.Context(), owner, 1000, 0)
					require.NoError(t, err)
				}
				start(t, held, sources(&narrow{m, 100 << 10}), func(c *consumer.Config) { c.BatchSize = 1000 })
				after(10 * time.Minute)
				require.Zero(t, m.PendingCount())
				require.Len(t, m.Acked(), 1000)
			})
		})
	}
}

// held is a handler that takes a second for each batch and notes how many bytes
// are in hand.
type held struct {
	mu                 sync.Mutex
	now, most, largest int
}

func (h *held) Handle(_ context.Context, deliveries []event.Delivery) (event.Outcome, error) {
	bytes := 0
	for i := range deliveries {
		bytes += deliveries[i].Size()
	}
	h.add(bytes)
	time.Sleep(time.Second)
	h.add(-bytes)
	return event.Outcome{Done: deliveries}, nil
}

func (h *held) add(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += bytes
	h.most, h.largest = max(h.most, h.now), max(h.largest, bytes)
}

// narrow is a source that loses every reply of more than so many bytes.
type narrow struct {
	*consumertest.Memory
	bytes int
}

func (n *narrow) lose(deliveries []event.Delivery, err error) ([]event.Delivery, error) {
	bytes := 0
	for i := range deliveries {
		bytes += deliveries[i].Size()
	}
	if bytes > n.bytes {
		return nil, consumertest.ErrInjected
	}
	return deliveries, err
}

func (n *narrow) Read(ctx context.Context, name string, limit int, block time.Duration) ([]event.Delivery, error) {
	return n.lose(n.Memory.Read(ctx, name, limit, block))
}

func (n *narrow) Pending(ctx context.Context, name, after string, limit int) ([]event.Delivery, error) {
	return n.lose(n.Memory.Pending(ctx, name, after, limit))
}

func (n *narrow) Claim(ctx context.Context, name string, minIdle time.Duration, cursor string, limit int) ([]event.Delivery, string, error) {
	page, next, err := n.Memory.Claim(ctx, name, minIdle, cursor, limit)
	if page, err = n.lose(page, err); err != nil {
		return nil, cursor, err
	}
	return page, next, nil
}
