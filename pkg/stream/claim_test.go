package stream

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// given publishes n events and reads them as consumer.
func given(tb testing.TB, c *client, consumer string, n int) []event.Delivery {
	tb.Helper()
	ctx := testContext(tb)
	require.NoError(tb, c.EnsureGroup(ctx))
	require.NoError(tb, c.Publish(ctx, sample(0, n)))
	got, err := c.Read(ctx, consumer, n, time.Second)
	require.NoError(tb, err)
	require.Len(tb, got, n)
	return got
}

// claimAll scans once and returns what was claimed, and how many pages were
// empty though not the last.
func claimAll(tb testing.TB, c *client, consumer string, minIdle time.Duration, limit int) (all []event.Delivery, gaps int) {
	tb.Helper()
	for cursor := scanStart; ; {
		page, next, err := c.Claim(testContext(tb), consumer, minIdle, cursor, limit)
		require.NoError(tb, err)
		require.LessOrEqual(tb, len(page), limit)
		all = append(all, page...)
		if next == scanStart {
			return all, gaps
		}
		if len(page) == 0 {
			gaps++
		}
		cursor = next
	}
}

func TestClaim_TakesIdleEntries(t *testing.T) {
	c, _ := withRedis(t)
	got := given(t, c, "dead", 250)
	none, _ := claimAll(t, c, "alive", time.Hour, 10)
	require.Empty(t, none)

	all, _ := claimAll(t, c, "alive", 0, 40)
	require.Equal(t, got, all)
	mine, err := c.Pending(testContext(t), "alive", "0", 1000)
	require.NoError(t, err)
	require.Equal(t, got, mine)
	require.InDelta(t, 250, testutil.ToFloat64(c.metrics.claimed), 0)
}

// Redis looks at a few entries at a time and says where to go on, with nothing
// in hand, when none of those was idle.
func TestClaim_GoesOnBehindEmptyPages(t *testing.T) {
	c, _ := withRedis(t)
	got := given(t, c, "slow", 500)
	resting := got[480:485]
	for _, d := range resting {
		say(t, c, "XCLAIM", c.p.key, c.name, "dead", "0", d.EntryID, "IDLE", "3600000")
	}
	all, gaps := claimAll(t, c, "alive", time.Minute, 2)
	require.Equal(t, resting, all)
	require.Greater(t, gaps, 10)
}

func TestClaim_DropsDeletedEntries(t *testing.T) {
	c, _ := withRedis(t)
	log := &recorder{}
	c.conn.log = slog.New(log)
	got := given(t, c, "dead", 10)
	say(t, c, "XDEL", c.p.key, got[3].EntryID, got[4].EntryID)
	all, _ := claimAll(t, c, "alive", 0, 100)
	require.Equal(t, append(got[:3:3], got[5:]...), all)
	require.InDelta(t, 2, testutil.ToFloat64(c.metrics.claimedDeleted), 0)
	require.Contains(t, log.String(), "WARN entries were deleted")
	s, err := c.Stats(testContext(t))
	require.NoError(t, err)
	require.EqualValues(t, 8, s.Pending)
}

func TestClaim_KeepsItsCursorWhenItFails(t *testing.T) {
	c, server := withRedis(t)
	ctx := testContext(t)
	_, next, err := c.Claim(ctx, "a", 0, "5-5", 10)
	requireUnavailable(t, err, "no_group")
	require.Equal(t, "5-5", next, "the scan goes on where it failed")
	require.NoError(t, server.Pause())
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, _, err = c.Claim(ctx, "a", 0, "", 10)
	requireUnavailable(t, err, reasonTimeout)
}

func consumers(t *testing.T, c *client) string {
	t.Helper()
	var names []string
	for _, info := range say(t, c, "XINFO", "CONSUMERS", c.p.key, c.name).([]any) {
		names = append(names, fmt.Sprint(info.(map[string]any)["name"]))
	}
	return strings.Join(names, " ")
}

func TestRemoveIdleConsumers_RemovesThoseThatHoldNothing(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	n, err := c.RemoveIdleConsumers(ctx, 0, "")
	require.NoError(t, err)
	require.Zero(t, n)

	given(t, c, "holding", 1)
	for _, name := range []string{"gone", "gone too", "self"} {
		_, err := c.Read(ctx, name, 1, 0)
		require.NoError(t, err)
		say(t, c, "XGROUP", "CREATECONSUMER", c.p.key, c.name, name)
	}
	n, err = c.RemoveIdleConsumers(ctx, time.Hour, "self")
	require.NoError(t, err)
	require.Zero(t, n)
	removed := 0
	require.Eventually(t, func() bool {
		n, err := c.RemoveIdleConsumers(ctx, 20*time.Millisecond, "self")
		require.NoError(t, err)
		removed += n
		return removed == 2
	}, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, "holding self", consumers(t, c))

	say(t, c, "XGROUP", "DESTROY", c.p.key, c.name)
	_, err = c.RemoveIdleConsumers(ctx, 0, "")
	requireUnavailable(t, err, "no_group")
	say(t, c, "SET", c.p.key, "x")
	_, err = c.RemoveIdleConsumers(ctx, 0, "")
	requireUnavailable(t, err, "wrong_type")
}

// One that was away for long may read again between the look and the removal.
func TestRemoveIdleConsumers_KeepsWhatAConsumerReadMeanwhile(t *testing.T) {
	c, _ := withRedis(t)
	got := given(t, c, "awake", 5)
	gone, err := c.removeConsumer(testContext(t), "awake")
	require.NoError(t, err)
	require.False(t, gone)
	require.Equal(t, entryIDs(got), pendingIDs(t, c, "awake"))
	n, err := c.Ack(testContext(t), entryIDs(got))
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
}

// A caller that leaves early shares nothing with the call that goes on.
func TestRemoveIdleConsumers_MayBeLeftAtAnyTime(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	for i := range 200 {
		say(t, c, "XGROUP", "CREATECONSUMER", c.p.key, c.Name(), fmt.Sprintf("gone-%d", i))
		early, leave := context.WithTimeout(ctx, time.Duration(i)*10*time.Microsecond)
		_, _ = c.RemoveIdleConsumers(early, 0, "")
		leave()
	}
	require.Eventually(t, func() bool {
		_, err := c.RemoveIdleConsumers(ctx, 0, "")
		require.NoError(t, err)
		stats, err := c.Stats(ctx)
		require.NoError(t, err)
		return stats.Consumers == 0
	}, 10*time.Second, time.Millisecond)
}
