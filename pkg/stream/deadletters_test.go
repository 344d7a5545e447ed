package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestDeadLetterStore_ListsInPages(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 25)
	require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
	var entries []string
	var last DeadLetter
	for after := ""; ; after = last.ID {
		page, err := c.dead.List(ctx, after, 10)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.LessOrEqual(t, len(page), 10)
		for _, l := range page {
			entries = append(entries, l.EntryID)
			last = l
		}
	}
	require.Equal(t, entryIDs(got), entries)

	one, found, err := c.dead.Get(ctx, last.ID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, last, one)
	for _, id := range []string{"1-1", "-", "+", "", "x"} {
		_, found, err = c.dead.Get(ctx, id)
		require.NoError(t, err)
		require.False(t, found)
	}

	n, err := c.dead.Remove(ctx, []string{last.ID, "1-1"})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Len(t, deadLetters(t, c), 24)
	n, err = c.dead.Remove(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = c.dead.Remove(ctx, []string{"x"})
	requireUnavailable(t, err, reasonOther)
}

func TestReplay_PutsLettersBackOnce(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 250)
	require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
	letters := deadLetters(t, c)
	letters[0].Fields = append(letters[0].Fields[:0:0], letters[0].Fields...)
	for i, f := range letters[0].Fields {
		if f == event.FieldPayload {
			letters[0].Fields[i+1] = `{"mended":true}`
		}
	}

	say(t, c, "CONFIG", "SET", "maxmemory", "1")
	_, err := c.dead.Replay(ctx, letters...)
	requireUnavailable(t, err, "out_of_memory")
	say(t, c, "CONFIG", "SET", "maxmemory", "0")
	require.Len(t, deadLetters(t, c), 250)

	n, err := c.dead.Replay(ctx, letters[:100]...)
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
	n, err = c.dead.Replay(ctx, letters...)
	require.NoError(t, err)
	require.EqualValues(t, 150, n, "those of the first time are not there any more")
	require.Empty(t, deadLetters(t, c))

	again, err := c.Read(ctx, "a", 1000, time.Second)
	require.NoError(t, err)
	require.Equal(t, deliveredIDs(got), deliveredIDs(again))
	require.JSONEq(t, `{"mended":true}`, field(again[0], event.FieldPayload))
	require.Equal(t, got[1].Fields, again[1].Fields)
}

func TestReplay_RejectsWhatIsNoEntry(t *testing.T) {
	c, _ := withRedis(t)
	for _, fields := range [][]string{nil, {"odd"}} {
		_, err := c.dead.Replay(testContext(t), DeadLetter{ID: "1-1", Rejection: event.Rejection{Delivery: event.Delivery{Fields: fields}}})
		require.Equal(t, event.KindInvalid, event.KindOf(err))
	}
	n, err := c.dead.Replay(testContext(t))
	require.NoError(t, err)
	require.Zero(t, n)
}

// What somebody else put among the dead letters is shown as it is.
func TestDeadLetterStore_ShowsForeignEntriesAsTheyAre(t *testing.T) {
	c, _ := withRedis(t)
	say(t, c, "XADD", c.p.dlqKey, "5-5", "k", "v")
	letters := deadLetters(t, c)
	require.Equal(t, []DeadLetter{{ID: "5-5", Rejection: event.Rejection{Delivery: event.Delivery{Fields: []string{"k", "v"}}}}}, letters)
	n, err := c.dead.Replay(testContext(t), letters...)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestDeadLetterStore_OfWrongType(t *testing.T) {
	c, _ := withRedis(t)
	say(t, c, "SET", c.p.dlqKey, "x")
	_, err := c.dead.List(testContext(t), "", 10)
	requireUnavailable(t, err, "wrong_type")
	_, _, err = c.dead.Get(testContext(t), "1-1")
	requireUnavailable(t, err, "wrong_type")
	_, err = c.dead.Remove(testContext(t), []string{"1-1"})
	requireUnavailable(t, err, "wrong_type")
	_, err = c.dead.Replay(testContext(t), DeadLetter{ID: "1-1", Rejection: event.Rejection{Delivery: event.Delivery{Fields: []string{"k", "v"}}}})
	requireUnavailable(t, err, "wrong_type")
}
