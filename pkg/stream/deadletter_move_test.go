package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/servers"
)

// refusals of the database, for each of deliveries.
func rejections(deliveries ...event.Delivery) []event.Rejection {
	out := make([]event.Rejection, len(deliveries))
	for i, d := range deliveries {
		out[i] = event.Rejection{Delivery: d, Reason: "rejected", Code: "22P05", Message: "unsupported Unicode escape sequence"}
	}
	return out
}

func deadLetters(tb testing.TB, c *client) []DeadLetter {
	tb.Helper()
	letters, err := c.dead.List(testContext(tb), "", 10_000)
	require.NoError(tb, err)
	return letters
}

func pendingIDs(tb testing.TB, c *client, consumer string) []string {
	tb.Helper()
	pending, err := c.Pending(testContext(tb), consumer, "0", 10_000)
	require.NoError(tb, err)
	return entryIDs(pending)
}

func TestDeadLetter_MovesAnEntryOnce(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 3)
	pendingIDs(t, c, "a") // delivers them once more
	before := time.Now()
	require.NoError(t, c.DeadLetter(ctx, rejections(got[1])))

	require.Equal(t, []string{got[0].EntryID, got[2].EntryID}, pendingIDs(t, c, "a"))
	letters := deadLetters(t, c)
	require.Len(t, letters, 1)
	l := letters[0]
	require.Equal(t, rejections(got[1])[0], l.Rejection)
	require.EqualValues(t, 2, l.Deliveries)
	require.WithinDuration(t, before, l.FirstSeen, 5*time.Second)
	require.WithinDuration(t, before, l.DeadLetteredAt, 5*time.Second)
	require.False(t, l.DeadLetteredAt.Before(l.FirstSeen.Truncate(time.Second)))
	require.InDelta(t, 1, testutil.ToFloat64(c.metrics.deadLettered), 0)
	s, err := c.Stats(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.DeadLetters)

	// After an answer that was lost, it is dead-lettered again.
	require.NoError(t, c.DeadLetter(ctx, rejections(got[1])))
	require.Len(t, deadLetters(t, c), 1)
	// What another consumer has claimed meanwhile is dead-lettered as well.
	claimAll(t, c, "b", 0, 10)
	require.NoError(t, c.DeadLetter(ctx, rejections(got[0])))
	require.Len(t, deadLetters(t, c), 2)
	require.NoError(t, c.DeadLetter(ctx, nil))
}

func TestDeadLetter_KeepsEveryField(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	many := make([]string, 0, 30_000)
	for i := range cap(many) / 2 {
		many = append(many, fmt.Sprint("field", i), "v:"+strings.Repeat("x", i%7))
	}
	odd := [][]string{
		{"k", "v"},
		{"k", "1", "k", "2", "K", ""},
		{"", "\x00\xff binary\r\n", "dlq_reason", "mine", "dlq_deliveries", "99"},
		{fieldReason, "a", fieldCode, "b", fieldMessage, "c", fieldFirstSeen, "d", fieldEntryID, "e", fieldDeadLetteredAt, "f", fieldDeliveries, "g"},
		{fieldPacked, "not packed"},
		many,
	}
	for _, fields := range odd {
		say(t, c, append([]string{"XADD", c.p.key, "*"}, fields...)...)
	}
	got, err := c.Read(ctx, "a", 100, time.Second)
	require.NoError(t, err)
	require.Len(t, got, len(odd))
	require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
	require.Empty(t, pendingIDs(t, c, "a"))
	letters := deadLetters(t, c)
	require.Len(t, letters, len(odd))
	for i, l := range letters {
		require.Equal(t, odd[i], l.Fields)
		require.Equal(t, rejections(got[i])[0], l.Rejection)
	}
}

func TestDeadLetter_OfADeletedEntry(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 1)
	say(t, c, "XDEL", c.p.key, got[0].EntryID)
	got, err := c.Pending(ctx, "a", "0", 10)
	require.NoError(t, err)
	require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
	require.Empty(t, pendingIDs(t, c, "a"))
	require.Len(t, deadLetters(t, c), 1)
	_, err = c.dead.Replay(ctx, deadLetters(t, c)...)
	require.Equal(t, event.KindInvalid, event.KindOf(err))
}

// Whatever keeps the entry from the dead letters keeps it pending.
func TestDeadLetter_LeavesPendingWhatItCannotMove(t *testing.T) {
	for reason, commands := range map[string][2][]string{
		"out_of_memory": {{"CONFIG", "SET", "maxmemory", "1"}, {"CONFIG", "SET", "maxmemory", "0"}},
		"wrong_type":    {{"SET", "{events_stream}:dlq", "x"}, {"DEL", "{events_stream}:dlq"}},
		"no_replicas":   {{"CONFIG", "SET", "min-replicas-to-write", "1"}, {"CONFIG", "SET", "min-replicas-to-write", "0"}},
		"read_only":     {{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(reason, func(t *testing.T) {
			c, _ := withRedis(t)
			ctx := testContext(t)
			got := given(t, c, "a", 250)
			say(t, c, commands[0]...)
			requireUnavailable(t, c.DeadLetter(ctx, rejections(got...)), reason)
			require.Eventually(t, func() bool { return c.Ping(ctx) == nil }, 5*time.Second, 5*time.Millisecond)
			say(t, c, commands[1]...)

			require.Equal(t, entryIDs(got), pendingIDs(t, c, "a"))
			require.Empty(t, deadLetters(t, c))
			require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
			require.Empty(t, pendingIDs(t, c, "a"))
			require.Len(t, deadLetters(t, c), 250)
		})
	}
}

func TestDeadLetter_WithoutAGroup(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 1)
	say(t, c, "XGROUP", "DESTROY", c.p.key, c.name)
	requireUnavailable(t, c.DeadLetter(ctx, rejections(got...)), "no_group")
	// Made again, the group delivers the entry again.
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
	require.Empty(t, deadLetters(t, c))
	again, err := c.Read(ctx, "a", 10, time.Second)
	require.NoError(t, err)
	require.Equal(t, got, again)
}

// Killed in the middle, every entry is in one place.
func TestDeadLetter_MovesEachOnceWhileRedisIsKilled(t *testing.T) {
	server := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	c := newClient(t, server.URL())
	ctx := testContext(t)
	got := given(t, c, "a", 2000)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil && c.DeadLetter(ctx, rejections(got...)) != nil {
			<-time.After(5 * time.Millisecond)
		}
	}()
	for range 3 {
		require.NoError(t, server.Kill())
		require.NoError(t, server.Start())
	}
	<-done
	require.Empty(t, pendingIDs(t, c, "a"))
	var entries []string
	for _, l := range deadLetters(t, c) {
		entries = append(entries, l.EntryID)
	}
	slices.Sort(entries)
	want := entryIDs(got)
	slices.Sort(want)
	require.Equal(t, want, entries)
}

func TestDeadLetter_BoundsTheMessage(t *testing.T) {
	c, _ := withRedis(t)
	dead := rejections(given(t, c, "a", 1)...)
	dead[0].Message = strings.Repeat("é", 10_000)
	require.NoError(t, c.DeadLetter(testContext(t), dead))
	require.Equal(t, strings.Repeat("é", maxMessage/2), deadLetters(t, c)[0].Message)
}

func TestUnpack_RejectsOtherText(t *testing.T) {
	for _, text := range []string{"x", "1", "2:x", "-1:x", "1:xy", ":", "99999999999999999999:x"} {
		_, ok := unpack(text)
		require.False(t, ok, text)
	}
}

// Two consumers move the same entries at once, as after a claim from one that
// was only slow: each entry is there once.
func TestDeadLetter_ByTwoAtOnceMakesNoCopies(t *testing.T) {
	c, server := withRedis(t)
	other := newClient(t, server.URL())
	got := given(t, c, "a", 300)
	var both sync.WaitGroup
	for _, mover := range []*client{c, other} {
		both.Go(func() {
			for len(pendingIDs(t, mover, "a")) > 0 {
				err := mover.DeadLetter(testContext(t), rejections(got...))
				if err != nil && classify(err).reason != reasonConflict {
					t.Error(err)
					return
				}
			}
		})
	}
	both.Wait()
	var entries []string
	for _, l := range deadLetters(t, c) {
		entries = append(entries, l.EntryID)
	}
	require.ElementsMatch(t, entryIDs(got), entries)
	require.InDelta(t, 300, testutil.ToFloat64(c.metrics.deadLettered)+testutil.ToFloat64(other.metrics.deadLettered), 0)
}

// An entry that somebody else deals with between the look and the move leaves
// no letter behind.
func TestDeadLetter_TakesBackTheLetterOfAnAcknowledgedEntry(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 2)
	err := c.conn.transact(ctx, func(ctx context.Context, tx rueidis.DedicatedClient) error {
		pending, deliveries, err := c.prepareMove(ctx, tx, rejections(got...))
		require.NoError(t, err)
		require.Len(t, pending, 2)
		require.Equal(t, []int64{1, 1}, deliveries)
		_, err = c.Ack(ctx, entryIDs(got[:1]))
		require.NoError(t, err)
		results, err := execute(ctx, tx, c.moveCommands(tx, pending, deliveries)...)
		require.NoError(t, err)
		return c.settleMove(ctx, tx, results)
	})
	require.NoError(t, err)
	letters := deadLetters(t, c)
	require.Len(t, letters, 1)
	require.Equal(t, got[1].EntryID, letters[0].EntryID)
	require.InDelta(t, 1, testutil.ToFloat64(c.metrics.deadLettered), 0)
}

func TestDeadLetter_OneThatFailsKeepsNoneOfTheOthers(t *testing.T) {
	c, _ := withRedis(t)
	got := given(t, c, "a", 250)
	dead := rejections(got...)
	dead[120].EntryID = "no id"
	requireUnavailable(t, c.DeadLetter(testContext(t), dead), reasonOther)
	require.Len(t, deadLetters(t, c), 249)
	require.Equal(t, []string{got[120].EntryID}, pendingIDs(t, c, "a"))
}

// The key changes its type after the look at it: nothing is acknowledged.
func TestDeadLetter_FailsWhenItsKeyIsReplacedMeanwhile(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 1)
	err := c.conn.transact(ctx, func(ctx context.Context, tx rueidis.DedicatedClient) error {
		pending, deliveries, err := c.prepareMove(ctx, tx, rejections(got...))
		require.NoError(t, err)
		say(t, c, "SET", c.p.dlqKey, "x")
		_, err = execute(ctx, tx, c.moveCommands(tx, pending, deliveries)...)
		return err
	})
	require.ErrorIs(t, err, errConflict)
	require.Len(t, pendingIDs(t, c, "a"), 1)
}
