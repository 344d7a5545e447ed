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

// Two causes at once are both reported, and the end of one is not the end of
// the other.
func TestProgress_ReportsEachCauseUntilItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		var away atomic.Bool
		away.Store(true)
		s := &sink{before: func(context.Context, []event.Delivery) error {
			if away.Load() {
				return unavailable()
			}
			return nil
		}}
		m.Publish(entries(0, 5)...)
		c := start(t, s, sources(m))
		after(time.Second)
		require.ErrorContains(t, c.Progress(), "handling deliveries fails since")
		require.NotContains(t, c.Progress().Error(), "reading the stream")

		m.FailAlways(consumertest.Read, consumertest.Before)
		after(10 * time.Second)
		require.ErrorContains(t, c.Progress(), "handling deliveries fails since")
		require.ErrorContains(t, c.Progress(), "reading the stream fails since")

		away.Store(false)
		after(10 * time.Second)
		require.Equal(t, 5, s.count())
		require.ErrorContains(t, c.Progress(), "reading the stream fails since")
		require.NotContains(t, c.Progress().Error(), "handling deliveries")

		m.FailAlways(consumertest.Read, consumertest.None)
		after(10 * time.Second)
		require.NoError(t, c.Progress())
	})
}

// One batch that gets on says nothing about another that does not.
func TestProgress_ReportsOneFailingBatchAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		s := &sink{before: func(_ context.Context, deliveries []event.Delivery) error {
			if deliveries[0].EntryID == "1700000000000-000000" {
				return unavailable()
			}
			return nil
		}}
		m.Publish(entries(0, 1)...)
		c := start(t, s, sources(m))
		after(time.Second)
		m.Publish(entries(1, 50)...)
		after(5 * time.Second)
		require.Equal(t, 50, s.count())
		require.ErrorContains(t, c.Progress(), "handling deliveries fails since")
	})
}

// Nobody has reported an error, and yet nothing moves.
func TestProgress_NoticesAStandstill(t *testing.T) {
	for name, hang := range map[string]func(m *consumertest.Memory, s *sink, release chan struct{}) []consumer.Source{
		"handling deliveries": func(m *consumertest.Memory, s *sink, release chan struct{}) []consumer.Source {
			s.before = func(context.Context, []event.Delivery) error { <-release; return nil }
			return sources(m)
		},
		"acknowledging": func(m *consumertest.Memory, _ *sink, release chan struct{}) []consumer.Source {
			return sources(&hanging{Memory: m, ack: release})
		},
		"reading the stream": func(m *consumertest.Memory, _ *sink, release chan struct{}) []consumer.Source {
			return sources(&hanging{Memory: m, read: release})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, s, release := consumertest.NewMemory(0), &sink{}, make(chan struct{})
				m.Publish(entries(0, 5)...)
				c := start(t, s, hang(m, s, release))
				after(30 * time.Second)
				require.NoError(t, c.Progress(), "it may take its time")
				after(31 * time.Second)
				require.ErrorContains(t, c.Progress(), "nothing has moved since")
				require.ErrorContains(t, c.Progress(), name)
				close(release)
				after(time.Second)
				require.NoError(t, c.Progress())
				require.Equal(t, 5, s.count())
			})
		})
	}
}

func TestProgress_IsNoStandstillWhenThereIsNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, &sink{}, sources(consumertest.NewMemory(0)), func(c *consumer.Config) { c.Block = time.Minute })
		for range 100 {
			after(7 * time.Second)
			require.NoError(t, c.Progress())
		}
	})
}

// Background work that fails shows too.
func TestProgress_ReportsMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		m.FailAlways(consumertest.Trim, consumertest.Before)
		m.FailAlways(consumertest.RemoveIdleConsumers, consumertest.Before)
		c := start(t, &sink{}, sources(m))
		after(time.Hour)
		require.ErrorContains(t, c.Progress(), "trimming the stream fails since")
		require.ErrorContains(t, c.Progress(), "removing idle consumers fails since")
		require.True(t, c.log.contains("level=WARN msg=\"trimming the stream failed"))
		m.FailAlways(consumertest.Trim, consumertest.None)
		m.FailAlways(consumertest.RemoveIdleConsumers, consumertest.None)
		after(2 * time.Minute)
		require.NoError(t, c.Progress())
	})
}

// hanging is a source some of whose calls wait for a channel.
type hanging struct {
	*consumertest.Memory
	ack, read chan struct{}
}

func (h *hanging) Ack(ctx context.Context, entryIDs []string) (int64, error) {
	if h.ack != nil {
		<-h.ack
	}
	return h.Memory.Ack(ctx, entryIDs)
}

func (h *hanging) Read(ctx context.Context, name string, limit int, block time.Duration) ([]event.Delivery, error) {
	if h.read != nil {
		<-h.read
	}
	return h.Memory.Read(ctx, name, limit, block)
}
