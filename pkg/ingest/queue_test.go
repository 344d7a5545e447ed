package ingest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func unconfirmed(c *Config) { c.Ack = AckNone }

// gated returns a publisher that waits, and what opens it.
func gated() *fakePublisher {
	return &fakePublisher{enter: make(chan struct{}, 1000), open: make(chan struct{})}
}

func (h *Handler) mustOne(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := h.One(context.Background(), body(uuid.NewString()))
	require.NoError(t, err)
	return id
}

func TestUnconfirmedDoesNotWait(t *testing.T) {
	pub := gated()
	h := newHandler(t, pub, unconfirmed)
	var want []uuid.UUID
	want = append(want, h.mustOne(t))
	<-pub.enter
	for range 9 {
		want = append(want, h.mustOne(t))
	}
	require.Empty(t, pub.ids())
	require.Equal(t, 10, valueOf(t, h.metrics.queued))
	close(pub.open)
	require.NoError(t, h.Close(context.Background()))
	require.Equal(t, want, pub.ids(), "all of them, in order")
	require.Equal(t, 2, pub.calls, "what waited went together")
	require.Zero(t, valueOf(t, h.metrics.queued))
	require.Equal(t, 10, valueOf(t, h.metrics.accepted))
}

func TestUnconfirmedIsBounded(t *testing.T) {
	// Blanks around an event count: they keep the memory of the body.
	padded := func() string { return body(uuid.NewString()) + strings.Repeat(" ", 1000) }
	size := int64(len(padded()))
	for name, bound := range map[string]func(*Config){
		"by events": func(c *Config) { c.QueueEvents = 3 },
		"by bytes":  func(c *Config) { c.QueueBytes = 3*size + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			pub := gated()
			h := newHandler(t, pub, unconfirmed, bound)
			for range 3 {
				_, err := h.One(context.Background(), padded())
				require.NoError(t, err)
			}
			_, err := h.One(context.Background(), padded())
			var e *event.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, event.KindUnavailable, e.Kind)
			require.Positive(t, e.RetryAfter)
			close(pub.open)
			require.Eventually(t, func() bool { return valueOf(t, h.metrics.queued) == 0 }, patience, time.Millisecond)
			h.mustOne(t)
			require.NoError(t, h.Close(context.Background()))
			require.Len(t, pub.ids(), 4)
		})
	}
}

func TestUnconfirmedTakesOneTooLargeForTheQueueWhenAlone(t *testing.T) {
	pub := gated()
	h := newHandler(t, pub, unconfirmed, func(c *Config) { c.QueueEvents = 1 })
	two := "[" + body(uuid.NewString()) + "," + body(uuid.NewString()) + "]"
	_, err := h.Batch(context.Background(), two)
	require.NoError(t, err)
	_, err = h.Batch(context.Background(), two)
	require.Equal(t, event.KindUnavailable, event.KindOf(err))
	close(pub.open)
	require.NoError(t, h.Close(context.Background()))
	require.Len(t, pub.ids(), 2)
}

func TestUnconfirmedCountsWhatIsLost(t *testing.T) {
	pub := &fakePublisher{err: errors.New("away")}
	h := newHandler(t, pub, unconfirmed)
	for range 5 {
		h.mustOne(t)
	}
	require.NoError(t, h.Close(context.Background()))
	require.Equal(t, 5, valueOf(t, h.metrics.lost))
	_, err := h.One(context.Background(), body(uuid.NewString()))
	require.Equal(t, event.KindUnavailable, event.KindOf(err), "closed")
	require.NoError(t, h.Close(context.Background()), "again")
}

func TestUnconfirmedCloseGivesUpInTime(t *testing.T) {
	pub := gated() // and never opened
	h := newHandler(t, pub, unconfirmed)
	h.mustOne(t)
	<-pub.enter
	for range 4 {
		h.mustOne(t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := h.Close(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "4 events lost, 1 in doubt")
	require.Eventually(t, func() bool { return valueOf(t, h.metrics.lost) == 5 }, patience, time.Millisecond)
}

func TestUnconfirmedConcurrently(t *testing.T) {
	pub := &fakePublisher{}
	h := newHandler(t, pub, unconfirmed)
	var producers sync.WaitGroup
	for range 8 {
		producers.Go(func() {
			for range 500 {
				if _, err := h.One(context.Background(), body(uuid.NewString())); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	producers.Wait()
	require.NoError(t, h.Close(context.Background()))
	require.Len(t, pub.ids(), 4000)
}
