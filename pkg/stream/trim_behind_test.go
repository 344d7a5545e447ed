package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// What stays pending does not keep what is done behind it on the stream.
func TestTrim_FreesWhatIsDoneBehindAnEntryThatStaysPending(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	c.p.heldAfter = 0
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.Publish(ctx, sample(0, 500)))
	got, err := c.Read(ctx, "a", 400, time.Second)
	require.NoError(t, err)
	kept := []string{got[0].EntryID, got[1].EntryID, got[250].EntryID}
	for _, d := range got {
		if d.EntryID != kept[0] && d.EntryID != kept[1] && d.EntryID != kept[2] {
			_, err = c.Ack(ctx, []string{d.EntryID})
			require.NoError(t, err)
		}
	}
	n, err := c.Trim(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 397, n)
	require.Len(t, onStream(t, c), 103)
	n, err = c.Trim(ctx)
	require.NoError(t, err)
	require.Zero(t, n)

	pending, err := c.Pending(ctx, "a", "0", 10)
	require.NoError(t, err)
	require.Equal(t, kept, entryIDs(pending))
	for _, d := range pending {
		require.NotEmpty(t, d.Fields, "it is still there")
	}
	unread, err := c.Read(ctx, "a", 1000, time.Second)
	require.NoError(t, err)
	require.Len(t, unread, 100)
	stats, err := c.Stats(ctx)
	require.NoError(t, err)
	require.Zero(t, stats.Backlog)
}

func TestTrim_BehindAPendingEntrySparesOtherGroups(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	c.p.heldAfter = 0
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	say(t, c, "XGROUP", "CREATE", c.p.key, "other", "0")
	require.NoError(t, c.Publish(ctx, sample(0, 200)))
	got, err := c.Read(ctx, "a", 200, time.Second)
	require.NoError(t, err)
	_, err = c.Ack(ctx, entryIDs(got)[1:])
	require.NoError(t, err)
	trimmed := func() int64 {
		n, err := c.Trim(ctx)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, trimmed(), "the other group has read nothing")
	say(t, c, "XREADGROUP", "GROUP", "other", "x", "COUNT", "150", "STREAMS", c.p.key, ">")
	c.p.held.next = time.Time{}
	require.Zero(t, trimmed(), "it has them pending")
	say(t, c, "XACK", c.p.key, "other", got[10].EntryID, got[20].EntryID)
	c.p.held.next = time.Time{}
	require.EqualValues(t, 2, trimmed())
}

// It is no leftover while it is being worked on.
func TestTrim_WaitsBeforeItLooksBehindAPendingEntry(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	c.p.heldAfter = time.Hour
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.Publish(ctx, sample(0, 100)))
	got, err := c.Read(ctx, "a", 100, time.Second)
	require.NoError(t, err)
	_, err = c.Ack(ctx, entryIDs(got)[1:])
	require.NoError(t, err)
	for range 3 {
		n, err := c.Trim(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	}
}
