package stream

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestGroup_StartsWhereConfigured(t *testing.T) {
	for start, want := range map[string]int{"$": 1, "0": 4} {
		t.Run(start, func(t *testing.T) {
			c := newClient(t, servers.Redis(t).URL(), func(_ *RedisConfig, cfg *Config) { cfg.GroupStart = start })
			ctx := testContext(t)
			for range 3 {
				say(t, c, "XADD", c.p.key, "*", "k", "v") // History that nobody published for the group.
			}
			require.NoError(t, c.EnsureGroup(ctx))
			require.NoError(t, c.EnsureGroup(ctx))
			require.NoError(t, c.Publish(ctx, sample(3, 1)))
			got, err := c.Read(ctx, "a", 10, time.Second)
			require.NoError(t, err)
			require.Len(t, got, want)
			require.Zero(t, testutil.ToFloat64(c.metrics.recreated))
		})
	}
}

func TestGroup_RecreatedFromStartAfterLoss(t *testing.T) {
	for _, loss := range []string{"FLUSHALL", "XGROUP DESTROY events_stream event_persister", "DEL events_stream"} {
		t.Run(loss, func(t *testing.T) {
			c, _ := withRedis(t)
			log := &recorder{}
			c.conn.log = slog.New(log)
			ctx := testContext(t)
			require.NoError(t, c.EnsureGroup(ctx))
			say(t, c, loss)
			events := sample(0, 3)
			_, err := c.Read(ctx, "a", 10, time.Second)
			requireUnavailable(t, err, "no_group")
			_, err = c.Pending(ctx, "a", "0", 10)
			requireUnavailable(t, err, "no_group")
			n, err := c.Ack(ctx, []string{"1-1"})
			require.NoError(t, err)
			require.Zero(t, n)

			require.NoError(t, c.Publish(ctx, events))
			require.NoError(t, c.EnsureGroup(ctx))
			got, err := c.Read(ctx, "a", 10, time.Second)
			require.NoError(t, err)
			require.Equal(t, ids(events), deliveredIDs(got))
			require.InDelta(t, 1, testutil.ToFloat64(c.metrics.recreated), 0)
			require.Contains(t, log.String(), "WARN consumer group was lost")
		})
	}
}

// A process that has never seen the group cannot know that it was lost, but
// what is published meanwhile must not be behind where it starts.
func TestGroup_RecreatedFromStartByAFreshProcess(t *testing.T) {
	for _, loss := range []string{"FLUSHALL", "XGROUP DESTROY events_stream event_persister", "DEL events_stream"} {
		t.Run(loss, func(t *testing.T) {
			old, server := withRedis(t)
			ctx := testContext(t)
			require.NoError(t, old.EnsureGroup(ctx))
			say(t, old, loss)
			events := sample(0, 300)
			require.NoError(t, old.Publish(ctx, events))
			fresh := newClient(t, server.URL())
			require.NoError(t, fresh.EnsureGroup(ctx))
			got, err := fresh.Read(ctx, "a", 1000, time.Second)
			require.NoError(t, err)
			require.Equal(t, ids(events), deliveredIDs(got))
		})
	}
}

// A consumer that never ensured the group but has read from it has seen it.
func TestGroup_ReadingCountsAsHavingSeenIt(t *testing.T) {
	other, server := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, other.EnsureGroup(ctx))
	c := newClient(t, server.URL())
	got, err := c.Read(ctx, "a", 10, time.Millisecond)
	require.NoError(t, err)
	require.Empty(t, got)
	say(t, c, "FLUSHALL")
	require.NoError(t, other.Publish(ctx, sample(0, 1)))
	require.NoError(t, c.EnsureGroup(ctx))
	got, err = c.Read(ctx, "a", 10, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func TestEnsureGroup_ByManyAtOnce(t *testing.T) {
	one, server := withRedis(t)
	clients := []*client{one, newClient(t, server.URL()), newClient(t, server.URL())}
	ctx := testContext(t)
	errs := make(chan error, 30)
	for i := range cap(errs) {
		go func() { errs <- clients[i%len(clients)].EnsureGroup(ctx) }()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	for _, c := range clients {
		require.Zero(t, testutil.ToFloat64(c.metrics.recreated))
	}
}

// A group that exists is found even while Redis refuses writes.
func TestEnsureGroup_WhileRedisRejectsWrites(t *testing.T) {
	first, server := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, first.EnsureGroup(ctx))
	say(t, first, "CONFIG SET maxmemory 1")
	c := newClient(t, server.URL())
	require.NoError(t, c.EnsureGroup(ctx))

	say(t, first, "XGROUP DESTROY events_stream event_persister")
	requireUnavailable(t, c.EnsureGroup(ctx), "out_of_memory")
	say(t, first, "CONFIG SET maxmemory 0")
	say(t, first, "SET events_stream x")
	requireUnavailable(t, c.EnsureGroup(ctx), "wrong_type")
}

func TestGroup_ReadPendingAck(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	events := sample(0, 350)
	require.NoError(t, c.Publish(ctx, events))

	got, err := c.Read(ctx, "a", 1000, time.Second)
	require.NoError(t, err)
	require.Equal(t, ids(events), deliveredIDs(got))
	none, err := c.Read(ctx, "a", 1000, 0)
	require.NoError(t, err)
	require.Nil(t, none)
	none, err = c.Pending(ctx, "b", "0", 100)
	require.NoError(t, err)
	require.Nil(t, none, "what another consumer has pending is its own")

	say(t, c, "XDEL", c.p.key, got[120].EntryID)
	var all []string
	pages, after := 0, "0"
	for {
		page, err := c.Pending(ctx, "a", after, 100)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.LessOrEqual(t, len(page), 100)
		pages++
		all = append(all, entryIDs(page)...)
		after = page[len(page)-1].EntryID
		for _, d := range page {
			require.Equal(t, d.EntryID == got[120].EntryID, len(d.Fields) == 0)
		}
	}
	require.Equal(t, 4, pages)
	require.Equal(t, entryIDs(got), all)

	n, err := c.Ack(ctx, append(all, all[0], "1-1"))
	require.NoError(t, err)
	require.EqualValues(t, 350, n)
	require.InDelta(t, 350, testutil.ToFloat64(c.metrics.acked), 0)
	require.InDelta(t, 2, testutil.ToFloat64(c.metrics.ackedMissing), 0)
	none, err = c.Pending(ctx, "a", "0", 100)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestAck_InChunks(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.Publish(ctx, sample(0, 2*ackChunk+7)))
	got, err := c.Read(ctx, "a", 10*ackChunk, time.Second)
	require.NoError(t, err)
	n, err := c.Ack(ctx, entryIDs(got))
	require.NoError(t, err)
	require.EqualValues(t, 2*ackChunk+7, n)
	n, err = c.Ack(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = c.Ack(ctx, []string{"no id"})
	requireUnavailable(t, err, reasonOther)
}

func TestRead_WakesUpForAnEvent(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	read := make(chan int, 1)
	go func() {
		got, err := c.Read(ctx, "a", 10, 30*time.Second)
		if err != nil {
			t.Error(err)
		}
		read <- len(got)
	}()
	awaitBlocked(t, c, 1)
	require.NoError(t, c.Publish(ctx, sample(0, 1)))
	require.Equal(t, 1, <-read, "before its block has passed")
}

func TestRead_EndsWithItsContext(t *testing.T) {
	c, _ := withRedis(t)
	require.NoError(t, c.EnsureGroup(testContext(t)))
	for range 5 {
		ctx, cancel := context.WithCancel(testContext(t))
		done := make(chan error, 1)
		go func() { _, err := c.Read(ctx, "a", 10, 30*time.Second); done <- err }()
		awaitBlocked(t, c, 1)
		cancel()
		err := <-done
		requireUnavailable(t, err, reasonCanceled)
		require.ErrorIs(t, err, context.Canceled)
		awaitBlocked(t, c, 0)
	}
}

// What an abandoned read is given all the same is found among the pending.
func TestRead_AbandonedLosesNothing(t *testing.T) {
	c, server := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	reading, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { _, err := c.Read(reading, "a", 10, 30*time.Second); done <- err }()
	awaitBlocked(t, c, 1)
	// The publisher's events and the end of the reader's connection reach
	// Redis in this order, while the reader is gone already.
	require.NoError(t, server.Pause())
	published := make(chan error, 1)
	go func() { published <- c.Publish(ctx, sample(0, 2)) }()
	require.Eventually(t, func() bool { return underWay(c) == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	requireUnavailable(t, <-done, reasonCanceled)
	require.NoError(t, server.Resume())
	require.NoError(t, <-published)

	pending, err := c.Pending(ctx, "a", "0", 10)
	require.NoError(t, err)
	fresh, err := c.Read(ctx, "a", 10, 0)
	require.NoError(t, err)
	require.Equal(t, 2, len(pending)+len(fresh))
}

// A blocking read on a Redis that freezes ends a little after its BLOCK.
func TestRead_EndsALittleAfterItsBlockWhileRedisHangs(t *testing.T) {
	c, server := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	done := make(chan error, 1)
	go func() { _, err := c.Read(ctx, "a", 10, 500*time.Millisecond); done <- err }()
	awaitBlocked(t, c, 1)
	require.NoError(t, server.Pause())
	requireUnavailable(t, <-done, reasonTimeout) // long before the time limit of the connection
	require.NoError(t, server.Resume())
	require.Eventually(t, func() bool { _, err := c.Read(ctx, "a", 10, time.Millisecond); return err == nil }, 5*time.Second, 10*time.Millisecond)
}

func TestRead_BlockedFailsOnFlush(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	done := make(chan error, 1)
	go func() { _, err := c.Read(ctx, "a", 10, 30*time.Second); done <- err }()
	awaitBlocked(t, c, 1)
	say(t, c, "FLUSHALL")
	requireUnavailable(t, <-done, "no_group")
}

func TestStats_CountsTheGroup(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	s, err := c.Stats(ctx)
	require.NoError(t, err)
	require.Equal(t, Stats{}, s)

	for range 2 {
		say(t, c, "XADD", c.p.key, "*", "k", "v")
	}
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.Publish(ctx, sample(2, 50)))
	got, err := c.Read(ctx, "a", 10, time.Second)
	require.NoError(t, err)
	_, err = c.Ack(ctx, entryIDs(got[:4]))
	require.NoError(t, err)
	_, err = c.Read(ctx, "b", 1, time.Second)
	require.NoError(t, err)

	s, err = c.Stats(ctx)
	require.NoError(t, err)
	require.Less(t, s.OldestPendingIdle, 10*time.Second)
	s.OldestPendingIdle = 0
	require.NotEmpty(t, s.OldestUnread)
	require.Equal(t, Stats{
		Length: 52, Group: true, Consumers: 2, Pending: 7,
		LastDelivered: s.LastDelivered, Backlog: 39, BacklogExact: true, OldestUnread: s.OldestUnread,
		OldestPending: got[4].EntryID, OldestPendingDeliveries: 1,
	}, s)

	// Deletions take Redis's own count away; the backlog is still right
	// while it is small, and never below what was counted when it is not.
	say(t, c, "XDEL", c.p.key, s.OldestUnread)
	s, err = c.Stats(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 38, s.Backlog)
	require.NoError(t, c.Publish(ctx, sample(0, 500)))
	s, err = c.Stats(ctx)
	require.NoError(t, err)
	require.False(t, s.BacklogExact)
	require.GreaterOrEqual(t, s.Backlog, int64(538))
	require.LessOrEqual(t, s.Backlog, s.Length)
}

func TestStats_OfWrongType(t *testing.T) {
	c, _ := withRedis(t)
	say(t, c, "SET events_stream x")
	_, err := c.Stats(testContext(t))
	requireUnavailable(t, err, "wrong_type")
}

// awaitBlocked waits until Redis holds n blocked clients.
func awaitBlocked(t *testing.T, c *client, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return containsLine(say(t, c, "INFO", "clients").(string), fmt.Sprintf("blocked_clients:%d", n))
	}, 5*time.Second, time.Millisecond)
}
