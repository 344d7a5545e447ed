package consumer_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/consumertest"
)

func TestConsumer_ClaimsWhatDeadConsumersLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		m.Publish(entries(0, 25)...)
		_, err := m.Read(t.Context(), "peer", 25, 0)
		require.NoError(t, err)
		c := start(t, s, sources(m))
		after(30 * time.Second)
		require.Zero(t, s.count(), "its owner may be alive")
		after(time.Minute)
		require.Equal(t, 25, s.count())
		require.Zero(t, m.PendingCount())
		require.True(t, c.log.contains("deliveries=25"))
	})
}

func TestConsumer_DoesNotClaimWhatItHasInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		release := make(chan struct{})
		var calls atomic.Int32
		s := &sink{before: func(context.Context, []event.Delivery) error {
			calls.Add(1)
			<-release
			return nil
		}}
		m.Publish(entries(0, 5)...)
		start(t, s, sources(m))
		after(10 * time.Minute)
		require.EqualValues(t, 1, calls.Load())
		close(release)
		after(10 * time.Minute)
		require.EqualValues(t, 1, calls.Load())
		require.Zero(t, m.PendingCount())
	})
}

// While a batch waits for a database that is away, errors of reading do not
// bring the same deliveries into hand a second time.
func TestConsumer_DoesNotReadAgainWhatItHasInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		back := make(chan struct{})
		seen := map[string]int{}
		s := &sink{before: func(_ context.Context, deliveries []event.Delivery) error {
			for _, d := range deliveries {
				seen[d.EntryID]++
			}
			<-back
			return nil
		}}
		m.Publish(entries(0, 5)...)
		start(t, s, sources(m))
		after(time.Second)
		m.Fail(consumertest.Read, consumertest.Before, consumertest.Before, consumertest.Before)
		after(time.Minute)
		require.Greater(t, m.Deliveries("1700000000000-000000"), 1, "its pending list was read again")
		close(back)
		after(10 * time.Second)
		require.Zero(t, m.PendingCount())
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
}

// Redis is out of memory and nobody helps: what is done is acknowledged, reading
// goes on, and what can be neither stored nor dead-lettered comes back at
// intervals.
func TestConsumer_AcknowledgesThoughDeadLetteringFailsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		m.FailAlways(consumertest.DeadLetter, consumertest.Before)
		for i := range 10 { // more than batches may be in hand
			m.Publish(poison())
			m.Publish(entries(9*i, 9)...)
		}
		c := start(t, s, sources(m))
		after(5 * time.Second)
		require.Equal(t, 90, s.count())
		require.Len(t, m.Acked(), 90)
		require.Equal(t, 10, m.PendingCount())
		require.ErrorContains(t, c.Progress(), "dead-lettering fails")
		m.Publish(entries(90, 50)...)
		after(5 * time.Second)
		require.Len(t, m.Acked(), 140)

		calls := s.callCount()
		after(10 * time.Minute)
		require.ErrorContains(t, c.Progress(), "dead-lettering fails")
		require.Greater(t, s.callCount(), calls, "they come back")
		require.Less(t, s.callCount(), calls+60, "and at intervals")

		m.FailAlways(consumertest.DeadLetter, consumertest.None)
		after(2 * time.Minute)
		require.Len(t, m.DeadLetters(), 10)
		require.Zero(t, m.PendingCount())
		require.NoError(t, c.Progress())
	})
}

// What another consumer has settled since is no failure of this one for ever.
func TestProgress_ForgetsDeadLettersThatOthersHaveMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		m.FailAlways(consumertest.DeadLetter, consumertest.Before)
		m.Publish(poison())
		c := start(t, &sink{}, sources(m))
		after(5 * time.Second)
		require.Error(t, c.Progress())
		_, err := m.Ack(t.Context(), []string{"1700000000000-000000"})
		require.NoError(t, err)
		after(5 * time.Minute)
		require.NoError(t, c.Progress())
	})
}

func TestConsumer_StopFinishesTheBatchesInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		release := make(chan struct{})
		s := &sink{before: func(context.Context, []event.Delivery) error { <-release; return nil }}
		m.Publish(entries(0, 5)...)
		c := start(t, s, sources(m))
		after(time.Second)
		stopped := make(chan struct{})
		go func() { c.stop(); close(stopped) }()
		after(time.Second)
		close(release)
		<-stopped
		require.Equal(t, 5, s.count())
		require.Zero(t, m.PendingCount())
	})
}

func TestConsumer_StopLeavesPendingWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		s := &sink{before: func(ctx context.Context, _ []event.Delivery) error {
			<-ctx.Done()
			return event.Unavailable("write", ctx.Err())
		}}
		m.Publish(entries(0, 5)...)
		c := start(t, s, sources(m), func(c *consumer.Config) { c.ShutdownTimeout = 3 * time.Second })
		after(time.Second)
		begin := time.Now()
		c.stop()
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, 5, m.PendingCount())
	})
}
