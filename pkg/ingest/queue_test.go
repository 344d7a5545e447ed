package ingest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func unconfirmed(c *Config) { c.Ack = AckNone }

// gated returns a publisher that waits, and what opens it.
func gated() *fakePublisher {
	return &fakePublisher{enter: make(chan struct{}, 1000), open: make(chan struct{})}
}

func (s *Service) mustAccept(t *testing.T) uuid.UUID {
	t.Helper()
	events := sample(t, 1)
	require.NoError(t, s.Accept(context.Background(), events))
	return events[0].ID
}

func TestAckNone_DoesNotWait(t *testing.T) {
	pub := gated()
	s := newService(t, pub, unconfirmed)
	var want []uuid.UUID
	want = append(want, s.mustAccept(t))
	<-pub.enter
	for range 9 {
		want = append(want, s.mustAccept(t))
	}
	require.Empty(t, pub.ids())
	require.Equal(t, 10, valueOf(t, s.metrics.queued))
	close(pub.open)
	require.NoError(t, s.Close(context.Background()))
	require.Equal(t, want, pub.ids(), "all of them, in order")
	require.Equal(t, 2, pub.calls, "what waited went together")
	require.Zero(t, valueOf(t, s.metrics.queued))
	require.Equal(t, 10, valueOf(t, s.metrics.accepted))
}

func TestAckNone_RejectsPastItsBounds(t *testing.T) {
	large := func() []event.Event {
		events := sample(t, 1)
		events[0].Payload = `{"a":"` + strings.Repeat("x", 1000) + `"}`
		return events
	}
	_, size := compact(large())
	for name, bound := range map[string]func(*Config){
		"by events": func(c *Config) { c.QueueEvents = 3 },
		"by bytes":  func(c *Config) { c.QueueBytes = int64(3*size + 1) },
	} {
		t.Run(name, func(t *testing.T) {
			pub := gated()
			s := newService(t, pub, unconfirmed, bound)
			for range 3 {
				require.NoError(t, s.Accept(context.Background(), large()))
			}
			err := s.Accept(context.Background(), large())
			var e *event.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, event.KindUnavailable, e.Kind)
			require.Positive(t, e.RetryAfter)
			close(pub.open)
			require.Eventually(t, func() bool { return valueOf(t, s.metrics.queued) == 0 }, timeout, time.Millisecond)
			s.mustAccept(t)
			require.NoError(t, s.Close(context.Background()))
			require.Len(t, pub.ids(), 4)
		})
	}
}

func TestAckNone_QueuesOneTooLargeWhenAlone(t *testing.T) {
	pub := gated()
	s := newService(t, pub, unconfirmed, func(c *Config) { c.QueueEvents = 1 })
	require.NoError(t, s.Accept(context.Background(), sample(t, 2)))
	err := s.Accept(context.Background(), sample(t, 2))
	require.Equal(t, event.KindUnavailable, event.KindOf(err))
	close(pub.open)
	require.NoError(t, s.Close(context.Background()))
	require.Len(t, pub.ids(), 2)
}

func TestAckNone_CountsWhatIsLost(t *testing.T) {
	pub := &fakePublisher{err: errors.New("away")}
	s := newService(t, pub, unconfirmed)
	for range 5 {
		s.mustAccept(t)
	}
	require.NoError(t, s.Close(context.Background()))
	require.Equal(t, 5, valueOf(t, s.metrics.lost))
	err := s.Accept(context.Background(), sample(t, 1))
	require.Equal(t, event.KindUnavailable, event.KindOf(err), "closed")
	require.NoError(t, s.Close(context.Background()), "again")
}

func TestAckNone_CloseGivesUpWithItsContext(t *testing.T) {
	pub := gated() // and never opened
	s := newService(t, pub, unconfirmed)
	s.mustAccept(t)
	<-pub.enter
	for range 4 {
		s.mustAccept(t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.Close(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "4 events lost, 1 in doubt")
	require.Eventually(t, func() bool { return valueOf(t, s.metrics.lost) == 5 }, timeout, time.Millisecond)
}

func TestAckNone_Concurrently(t *testing.T) {
	pub := &fakePublisher{}
	s := newService(t, pub, unconfirmed)
	var producers sync.WaitGroup
	for range 8 {
		producers.Go(func() {
			for range 500 {
				if err := s.Accept(context.Background(), sample(t, 1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	producers.Wait()
	require.NoError(t, s.Close(context.Background()))
	require.Len(t, pub.ids(), 4000)
}

// TestCompact_KeepsNothingOfTheBody has events that are small parts of a body.
func TestCompact_KeepsNothingOfTheBody(t *testing.T) {
	events := sample(t, 3)
	for i := range events {
		events[i].Type = strings.Repeat("t", i+1)
		events[i].Payload = `{"n":` + strings.Repeat("1", i) + `2}`
	}
	own, size := compact(events)
	require.Equal(t, events, own)
	require.Less(t, size, 3*(eventBytes+40))
	for i := range own {
		require.NotSame(t, unsafe.StringData(events[i].Payload), unsafe.StringData(own[i].Payload))
	}
}
