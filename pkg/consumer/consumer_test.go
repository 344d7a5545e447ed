package consumer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/consumertest"
)

func TestConsumer_HandlesAndAcknowledgesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		m.Publish(entries(0, 95)...)
		c := start(t, s, sources(m))
		after(time.Second)
		m.Publish(entries(95, 3)...)
		after(time.Second)
		c.stop()
		require.Equal(t, 98, s.count())
		require.Len(t, m.Acked(), 98)
		require.Zero(t, m.PendingCount())
		for _, n := range s.batches {
			require.LessOrEqual(t, n, 10)
		}
	})
}

// Batches are as large as the configuration says when there is enough to read,
// though single reads are smaller.
func TestConsumer_FillsBatchesFromSeveralReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		m.Publish(entries(0, 5000)...)
		start(t, s, sources(m), func(c *consumer.Config) { c.BatchSize = 1000 })
		after(time.Second)
		require.Equal(t, 5000, s.count())
		require.Equal(t, []int{1000, 1000, 1000, 1000, 1000}, s.batches)
	})
}

func TestConsumer_SurvivesEveryCallFailingBothWays(t *testing.T) {
	both := []consumertest.Fault{consumertest.Before, consumertest.After, consumertest.None, consumertest.After, consumertest.Before, consumertest.After}
	ops := []consumertest.Op{
		consumertest.EnsureGroup, consumertest.Read, consumertest.Pending, consumertest.Claim,
		consumertest.Ack, consumertest.DeadLetter, consumertest.Trim, consumertest.RemoveIdleConsumers,
	}
	for name, failing := range map[string][]consumertest.Op{"read": ops[1:2], "ack": ops[4:5], "dead letter": ops[5:6], "all": ops} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := consumertest.NewMemory(0)
				var n atomic.Int32
				s := &sink{before: func(context.Context, []event.Delivery) error {
					if n.Add(1)%3 == 0 {
						return unavailable()
					}
					return nil
				}}
				m.Publish(entries(0, 60)...)
				m.Publish(poison())
				for _, op := range failing {
					m.Fail(op, both...)
				}
				start(t, s, sources(m))
				after(5 * time.Minute)
				require.Equal(t, 60, s.count())
				require.Zero(t, m.PendingCount())
				require.Len(t, m.DeadLetters(), 1)
			})
		})
	}
}

func TestConsumer_ReadsNothingMoreWhileTheHandlerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		back := make(chan struct{})
		s := &sink{before: func(context.Context, []event.Delivery) error {
			select {
			case <-back:
				return nil
			default:
				return unavailable()
			}
		}}
		m.Publish(entries(0, 100)...)
		start(t, s, sources(m), func(c *consumer.Config) { c.Concurrency = 2 })
		after(time.Hour)
		require.Equal(t, 20, m.PendingCount(), "two batches in hand, and nothing beyond")
		require.Empty(t, m.DeadLetters(), "an outage costs no delivery anything")
		close(back)
		after(10 * time.Second)
		require.Equal(t, 100, s.count())
		require.Zero(t, m.PendingCount())
	})
}

func TestConsumer_LeavesPendingWhatAloneCannotBeHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		healed := make(chan struct{})
		handler := consumer.HandlerFunc(func(ctx context.Context, deliveries []event.Delivery) (out event.Outcome, err error) {
			var can []event.Delivery
			for _, d := range deliveries {
				select {
				case <-healed:
				default:
					if d.Fields[0] == "unknown" {
						err = consumertest.ErrInjected
						continue
					}
				}
				can = append(can, d)
			}
			out, _ = s.Handle(ctx, can)
			return out, err
		})
		for i := range 10 { // more than batches may be in hand
			m.Publish([]string{"unknown", ""})
			m.Publish(entries(i*9, 9)...)
		}
		c := start(t, handler, sources(m))
		after(10 * time.Minute)
		require.Equal(t, 90, s.count())
		require.Equal(t, 10, m.PendingCount())
		require.Empty(t, m.DeadLetters(), "nobody has said that they can never be handled")
		require.ErrorContains(t, c.Progress(), "handling deliveries fails")
		require.Less(t, m.Deliveries("1700000000000-000000"), 40, "they come back at intervals")
		close(healed)
		after(5 * time.Minute)
		require.Equal(t, 100, s.count())
		require.Zero(t, m.PendingCount())
		require.NoError(t, c.Progress())
	})
}

func TestConsumer_TriesAgainWhatTheHandlerDoesNotAccountFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		forgotten := false
		start(t, consumer.HandlerFunc(func(ctx context.Context, deliveries []event.Delivery) (event.Outcome, error) {
			if !forgotten {
				forgotten = true
				return event.Outcome{Done: deliveries[:1]}, nil
			}
			return s.Handle(ctx, deliveries)
		}), sources(m), func(c *consumer.Config) { c.Concurrency = 1 })
		m.Publish(entries(0, 4)...)
		after(10 * time.Second)
		require.Equal(t, 3, s.count())
		require.Zero(t, m.PendingCount())
	})
}

func TestConsumer_KeepsPartitionsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, s := consumertest.NewMemory(0), consumertest.NewMemory(1), &sink{}
		first.Publish(entries(0, 40)...)
		second.Publish(entries(0, 20)...)
		second.Publish(poison()) // under an entry id that is a good entry's in the other
		second.Publish(entries(21, 9)...)
		c := start(t, s, sources(first, second))
		after(10 * time.Second)
		require.Equal(t, 69, s.count(), "equal entry ids are of different deliveries")
		require.Zero(t, first.PendingCount()+second.PendingCount())
		require.Empty(t, first.DeadLetters())
		require.Len(t, second.DeadLetters(), 1)
		require.NoError(t, c.Progress())

		first.FailAlways(consumertest.Read, consumertest.Before)
		second.Publish(entries(30, 20)...)
		after(10 * time.Second)
		require.Equal(t, 89, s.count(), "one that is away does not hold back the other")
		require.ErrorContains(t, c.Progress(), "reading the stream (partition 0) fails")
		require.NotContains(t, c.Progress().Error(), "partition 1")
	})
}

func TestConsumer_TrimsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := consumertest.NewMemory(0)
		m.Publish(entries(0, 30)...)
		start(t, &sink{}, sources(m))
		after(5 * time.Second)
		require.Equal(t, 30, m.Trimmed())
	})
}

func TestConsumer_CountsWhatItRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := consumertest.NewMemory(0), &sink{}
		m.Publish(entries(0, 37)...)
		_, err := m.Read(t.Context(), "me", 37, 0) // by an earlier process of this name, which died
		require.NoError(t, err)
		c := start(t, s, sources(m))
		after(time.Second)
		require.Equal(t, 37, s.count())
		require.Zero(t, m.PendingCount())
		require.NoError(t, testutil.GatherAndCompare(c.reg, strings.NewReader(`
# HELP eventpulse_consumer_recovered_deliveries_total Deliveries handled again that were pending under this consumer's own name.
# TYPE eventpulse_consumer_recovered_deliveries_total counter
eventpulse_consumer_recovered_deliveries_total 37
`), "eventpulse_consumer_recovered_deliveries_total"))
	})
}
