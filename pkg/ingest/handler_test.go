package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// fakePublisher keeps what it is given, before it fails or after.
type fakePublisher struct {
	mu      sync.Mutex
	kept    []event.Event
	calls   int
	err     error
	applied bool // fail after keeping
	enter   chan struct{}
	open    chan struct{}
}

func (f *fakePublisher) Publish(ctx context.Context, events []event.Event) error {
	if f.enter != nil {
		f.enter <- struct{}{}
		select {
		case <-f.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.err == nil || f.applied {
		f.kept = append(f.kept, events...)
	}
	return f.err
}

func (f *fakePublisher) ids() []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]uuid.UUID, len(f.kept))
	for i, e := range f.kept {
		ids[i] = e.ID
	}
	return ids
}

func newHandler(tb testing.TB, pub Publisher, adjust ...func(*Config)) *Handler {
	tb.Helper()
	cfg := DefaultConfig()
	for _, a := range adjust {
		a(&cfg)
	}
	h, err := New(cfg, pub, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(tb, err)
	return h
}

func body(id string) string {
	return fmt.Sprintf(`{"event_id":%q,"event_type":"push","source":"here","timestamp":"2024-05-01T12:00:00Z"}`, id)
}

func valueOf(tb testing.TB, m prometheus.Metric) int {
	tb.Helper()
	var out dto.Metric
	require.NoError(tb, m.Write(&out))
	return int(out.GetCounter().GetValue() + out.GetGauge().GetValue())
}

func TestOne(t *testing.T) {
	pub := &fakePublisher{}
	h := newHandler(t, pub)
	want := uuid.New()
	id, err := h.One(context.Background(), body(want.String()))
	require.NoError(t, err)
	require.Equal(t, want, id)
	require.Equal(t, []uuid.UUID{want}, pub.ids())
	require.Equal(t, 1, valueOf(t, h.metrics.accepted))
	require.NoError(t, h.Close(context.Background()))
}

func TestBatchKeepsTheOrder(t *testing.T) {
	pub := &fakePublisher{}
	h := newHandler(t, pub)
	var want []uuid.UUID
	var bodies []string
	for range 100 {
		want = append(want, uuid.New())
		bodies = append(bodies, body(want[len(want)-1].String()))
	}
	ids, err := h.Batch(context.Background(), "["+strings.Join(bodies, ",")+"]")
	require.NoError(t, err)
	require.Equal(t, want, ids)
	require.Equal(t, want, pub.ids())
	require.Equal(t, 1, pub.calls)
	require.Equal(t, 100, valueOf(t, h.metrics.accepted))
}

func TestInvalidPublishesNothing(t *testing.T) {
	pub := &fakePublisher{}
	h := newHandler(t, pub, func(c *Config) { c.MaxBatchEvents = 2 })
	for _, b := range []string{"", "{}", "[]", "x"} {
		id, err := h.One(context.Background(), b)
		require.Equal(t, event.KindInvalid, event.KindOf(err), b)
		require.Equal(t, uuid.Nil, id)
	}
	good := body(uuid.NewString())
	_, err := h.Batch(context.Background(), "["+good+",{}]")
	require.Equal(t, event.KindInvalid, event.KindOf(err))
	var e *event.Error
	require.ErrorAs(t, err, &e)
	require.True(t, strings.HasPrefix(e.Problems[0].Pointer, "/1"), e.Problems[0].Pointer)
	_, err = h.Batch(context.Background(), "["+good+","+good+","+good+"]")
	require.Equal(t, event.KindTooLarge, event.KindOf(err))
	require.Empty(t, pub.ids())
	require.Equal(t, 5, valueOf(t, h.metrics.refusedRequests.WithLabelValues("invalid")))
	require.Equal(t, 1, valueOf(t, h.metrics.refusedRequests.WithLabelValues("too_large")))
	require.Zero(t, valueOf(t, h.metrics.accepted))
}

func TestAFailedPublishIsNeverAccepted(t *testing.T) {
	for _, applied := range []bool{false, true} {
		cause := errors.New("reset")
		pub := &fakePublisher{err: event.Unavailable("Redis is away", cause), applied: applied}
		h := newHandler(t, pub)
		id, err := h.One(context.Background(), body(uuid.NewString()))
		require.ErrorIs(t, err, cause)
		require.Equal(t, event.KindUnavailable, event.KindOf(err))
		require.Equal(t, uuid.Nil, id)
		ids, err := h.Batch(context.Background(), "["+body(uuid.NewString())+","+body(uuid.NewString())+"]")
		require.ErrorIs(t, err, cause)
		require.Empty(t, ids)
		require.Equal(t, 2, valueOf(t, h.metrics.refusedRequests.WithLabelValues("unavailable")))
		require.Equal(t, 3, valueOf(t, h.metrics.refusedEvents.WithLabelValues("unavailable")))
	}
}

func TestConfig(t *testing.T) {
	require.NoError(t, DefaultConfig().Validate())
	err := Config{}.Validate()
	for _, key := range []string{"ingest.ack", "ingest.queue_events", "ingest.queue_bytes", "max_event_bytes", "max_batch_events", "max_depth", "max_problems"} {
		require.ErrorContains(t, err, key)
	}
	_, err = New(Config{}, &fakePublisher{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.Error(t, err)
	reg := prometheus.NewRegistry()
	_, err = New(DefaultConfig(), &fakePublisher{}, slog.New(slog.DiscardHandler), reg)
	require.NoError(t, err)
	_, err = New(DefaultConfig(), &fakePublisher{}, slog.New(slog.DiscardHandler), reg)
	require.ErrorContains(t, err, "register ingest metrics")
}
