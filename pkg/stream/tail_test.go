package stream

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

func tailPage(t *testing.T, c *client, after string, limit int) TailPage {
	t.Helper()
	page, err := c.tail.Read(testContext(t), after, limit, 0)
	require.NoError(t, err)
	return page
}

func TestTail_ReadsExactlyOnBehindAnID(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	last, err := c.tail.Last(ctx)
	require.NoError(t, err)
	require.Equal(t, "0-0", last, "no stream")
	require.Equal(t, TailPage{Next: "0-0"}, tailPage(t, c, last, 10))

	events := sample(0, 25)
	require.NoError(t, c.Publish(ctx, events))
	var got []string
	after := "0-0"
	for pages := 0; ; pages++ {
		page := tailPage(t, c, after, 10)
		require.False(t, page.Trimmed)
		if len(page.Entries) == 0 {
			require.Equal(t, 3, pages)
			require.Equal(t, after, page.Next)
			break
		}
		require.LessOrEqual(t, len(page.Entries), 10)
		got = append(got, deliveredIDs(page.Entries)...)
		after = page.Next
	}
	require.Equal(t, ids(events), got)
	last, err = c.tail.Last(ctx)
	require.NoError(t, err)
	require.Equal(t, after, last)
}

func TestTail_TakesNothingFromTheGroups(t *testing.T) {
	c, _ := withRedis(t)
	require.NoError(t, c.EnsureGroup(testContext(t)))
	require.NoError(t, c.Publish(testContext(t), sample(0, 5)))
	tailPage(t, c, "0-0", 10)
	got, err := c.Read(testContext(t), "a", 10, 0)
	require.NoError(t, err)
	require.Len(t, got, 5)
}

func TestTail_WakesUpForAnEntry(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.Publish(ctx, sample(0, 1)))
	last, err := c.tail.Last(ctx)
	require.NoError(t, err)
	pages := make(chan TailPage, 1)
	go func() {
		page, err := c.tail.Read(ctx, last, 10, 50*time.Second)
		if err != nil {
			t.Error(err)
		}
		pages <- page
	}()
	awaitBlocked(t, c, 1)
	events := sample(0, 3)
	require.NoError(t, c.Publish(ctx, events))
	page := <-pages
	require.False(t, page.Trimmed)
	require.NotEmpty(t, page.Entries)
	require.Equal(t, events[0].ID.String(), deliveredIDs(page.Entries)[0])

	page, err = c.tail.Read(ctx, page.Next, 10, time.Millisecond)
	require.NoError(t, err)
	require.LessOrEqual(t, len(page.Entries), 2, "after a wait without anything the page may be empty")
}

func TestTail_EndsWithItsContext(t *testing.T) {
	c, _ := withRedis(t)
	require.NoError(t, c.Publish(testContext(t), sample(0, 1)))
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() { _, err := c.tail.Read(ctx, "9999999999999-0", 10, 50*time.Second); done <- err }()
	awaitBlocked(t, c, 1)
	cancel()
	requireUnavailable(t, <-done, reasonCanceled)
	awaitBlocked(t, c, 0)
}

func TestTail_SaysWhenTheStreamWasTrimmedPastTheID(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.Publish(ctx, sample(0, 100)))
	all := tailPage(t, c, "0-0", 1000).Entries

	// A time that is no entry's, on a stream that still has everything.
	before := fmt.Sprintf("%d-0", time.Now().Add(-time.Hour).UnixMilli())
	require.False(t, tailPage(t, c, before, 10).Trimmed)

	got, err := c.Read(ctx, "a", 50, 0)
	require.NoError(t, err)
	_, err = c.Ack(ctx, entryIDs(got))
	require.NoError(t, err)
	n, err := c.Trim(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, int64(30))

	page := tailPage(t, c, all[10].EntryID, 10)
	require.True(t, page.Trimmed)
	require.Equal(t, all[n].EntryID, page.Entries[0].EntryID, "it goes on with the first there is")
	require.False(t, tailPage(t, c, all[n].EntryID, 10).Trimmed)
	require.False(t, tailPage(t, c, "0-0", 10).Trimmed, "from the oldest there is")
	require.True(t, tailPage(t, c, before, 10).Trimmed)

	// An entry behind one that stays may be removed by itself.
	say(t, c, "XDEL", c.p.key, all[80].EntryID)
	page = tailPage(t, c, all[79].EntryID, 5)
	require.True(t, page.Trimmed)
	require.Equal(t, all[81].EntryID, page.Entries[0].EntryID)
	require.False(t, tailPage(t, c, page.Next, 5).Trimmed)

	say(t, c, "XTRIM", c.p.key, "MAXLEN", "0")
	require.True(t, tailPage(t, c, all[10].EntryID, 10).Trimmed, "nothing is left")
	require.False(t, tailPage(t, c, all[99].EntryID, 10).Trimmed, "nothing followed it")
	say(t, c, "DEL", c.p.key)
	require.True(t, tailPage(t, c, all[99].EntryID, 10).Trimmed, "the stream is another")
}
