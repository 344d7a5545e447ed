package app

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCleanup_RunsBackwardsAndJoinsErrors(t *testing.T) {
	var c cleanup
	var order []string
	first, third := errors.New("first"), errors.New("third")
	c.add("stream", func() error { order = append(order, "stream"); return first })
	c.add("spool", func() error { order = append(order, "spool"); return nil })
	c.add("listener", func() error { order = append(order, "listener"); return third })
	err := c.run()
	require.ErrorIs(t, err, first)
	require.ErrorIs(t, err, third)
	require.ErrorContains(t, err, "close the listener: third\nclose the stream: first")
	require.Equal(t, []string{"listener", "spool", "stream"}, order)

	require.NoError(t, c.run(), "everything is released once")
	require.Len(t, order, 3)
}

func TestCleanup_LeavesBehindWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cleanup
		var released bool
		hang := make(chan struct{})
		c.add("stream", func() error { released = true; return nil })
		c.add("spool", func() error { <-hang; return nil })
		err := c.within(time.Minute)
		require.ErrorContains(t, err, "close the spool: not done within 1m0s")
		close(hang)
		synctest.Wait()
		require.True(t, released, "what is left is released all the same")
	})
}
