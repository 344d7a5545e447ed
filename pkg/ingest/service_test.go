package ingest

import (
	"context"
	"errors"
	"log/slog"
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

const timeout = 10 * time.Second

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

func newService(tb testing.TB, pub Publisher, adjust ...func(*Config)) *Service {
	tb.Helper()
	cfg := DefaultConfig()
	for _, a := range adjust {
		a(&cfg)
	}
	s, err := New(cfg, pub, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(tb, err)
	return s
}

// sample returns n valid events with ids of their own.
func sample(tb testing.TB, n int) []event.Event {
	tb.Helper()
	events := make([]event.Event, n)
	for i := range events {
		var err error
		events[i], err = event.New(event.Draft{Type: "push", Source: "here", Timestamp: time.Unix(1_700_000_000, 0)}, event.DefaultLimits())
		require.NoError(tb, err)
	}
	return events
}

func idsOf(events []event.Event) []uuid.UUID {
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

func valueOf(tb testing.TB, m prometheus.Metric) int {
	tb.Helper()
	var out dto.Metric
	require.NoError(tb, m.Write(&out))
	return int(out.GetCounter().GetValue() + out.GetGauge().GetValue())
}

func TestAccept_PublishesInOrder(t *testing.T) {
	pub := &fakePublisher{}
	s := newService(t, pub)
	one, many := sample(t, 1), sample(t, 100)
	require.NoError(t, s.Accept(context.Background(), one))
	require.NoError(t, s.Accept(context.Background(), many))
	require.Equal(t, append(idsOf(one), idsOf(many)...), pub.ids())
	require.Equal(t, 2, pub.calls)
	require.Equal(t, 101, valueOf(t, s.metrics.accepted))
	require.NoError(t, s.Close(context.Background()))
}

func TestAccept_FailsWhenPublishingFails(t *testing.T) {
	for _, applied := range []bool{false, true} {
		cause := errors.New("reset")
		pub := &fakePublisher{err: event.Unavailable("Redis is away", cause), applied: applied}
		s := newService(t, pub)
		err := s.Accept(context.Background(), sample(t, 3))
		require.ErrorIs(t, err, cause)
		require.Equal(t, event.KindUnavailable, event.KindOf(err))
		require.Zero(t, valueOf(t, s.metrics.accepted))
		require.Equal(t, 3, valueOf(t, s.metrics.rejected.WithLabelValues("unavailable")))
	}
}

func TestRejected_CountsByKind(t *testing.T) {
	s := newService(t, &fakePublisher{})
	s.Rejected(&event.Error{Kind: event.KindInvalid, Detail: "bad"}, 1)
	s.Rejected(&event.Error{Kind: event.KindTooLarge, Detail: "big"}, 2)
	require.Equal(t, 1, valueOf(t, s.metrics.rejected.WithLabelValues("invalid")))
	require.Equal(t, 2, valueOf(t, s.metrics.rejected.WithLabelValues("too_large")))
}

func TestConfig(t *testing.T) {
	require.NoError(t, DefaultConfig().Validate())
	err := Config{}.Validate()
	for _, key := range []string{"ingest.ack", "ingest.queue_events", "ingest.queue_bytes", "max_event_bytes", "max_batch_events", "max_depth", "max_problems"} {
		require.ErrorContains(t, err, key)
	}
	_, err = New(Config{}, &fakePublisher{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.Error(t, err)
}
