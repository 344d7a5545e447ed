package stream

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
)

// The one-command mode runs on this.
func TestMiniredis_PublishReadAck(t *testing.T) {
	server := miniredis.RunT(t)
	c := newClient(t, "redis://"+server.Addr())
	ctx := testContext(t)
	require.NoError(t, c.Ping(ctx))
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.EnsureGroup(ctx))
	events := sample(0, 30)
	require.NoError(t, c.Publish(ctx, events))
	got, err := c.Read(ctx, "a", 100, time.Second)
	require.NoError(t, err)
	require.Equal(t, ids(events), deliveredIDs(got))
	none, err := c.Read(ctx, "a", 100, 10*time.Millisecond)
	require.NoError(t, err)
	require.Nil(t, none)
	page, err := c.Pending(ctx, "a", got[9].EntryID, 5)
	require.NoError(t, err)
	require.Equal(t, entryIDs(got[10:15]), entryIDs(page))
	s, err := c.Stats(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 30, s.Length)
	require.EqualValues(t, 30, s.Pending)
	require.Zero(t, s.Backlog)
	require.Equal(t, got[0].EntryID, s.OldestPending)
	n, err := c.Ack(ctx, entryIDs(got))
	require.NoError(t, err)
	require.EqualValues(t, 30, n)

	reading, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { _, err := c.Read(reading, "a", 1, 30*time.Second); done <- err }()
	cancel()
	requireUnavailable(t, <-done, reasonCanceled)

	server.FlushAll()
	require.NoError(t, c.Publish(ctx, sample(0, 1)))
	require.NoError(t, c.EnsureGroup(ctx))
	got, err = c.Read(ctx, "a", 1, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func TestMiniredis_Maintenance(t *testing.T) {
	server := miniredis.RunT(t)
	c := newClient(t, "redis://"+server.Addr())
	ctx := testContext(t)
	n, err := c.Trim(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	got := given(t, c, "dead", 20)
	all, _ := claimAll(t, c, "alive", 0, 5)
	require.Equal(t, got, all)
	require.NoError(t, c.DeadLetter(ctx, rejections(got[0])))
	require.NoError(t, c.DeadLetter(ctx, rejections(got[0])))
	letters := deadLetters(t, c)
	require.Len(t, letters, 1)
	require.Equal(t, rejections(got[0])[0], letters[0].Rejection)
	_, err = c.Ack(ctx, entryIDs(got[:10]))
	require.NoError(t, err)
	n, err = c.Trim(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
	n, err = c.dead.Replay(ctx, letters...)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = c.RemoveIdleConsumers(ctx, time.Hour, "alive")
	require.NoError(t, err)
}
