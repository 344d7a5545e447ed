package spool

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBreaker_IgnoresOutcomesFromBefore(t *testing.T) {
	var changes []bool
	b := newBreaker(time.Millisecond, func(open bool, _ error) { changes = append(changes, open) })
	early, ok := b.allow()
	require.True(t, ok)
	b.failed(early, context.DeadlineExceeded)
	require.Equal(t, breakerOpen, b.state())
	late, ok := b.allow()
	require.False(t, ok)
	b.failed(late, context.DeadlineExceeded)
	b.failed(early, context.DeadlineExceeded)
	b.succeeded(early)
	eventually(t, "a probe is due", b.probe)
	require.False(t, b.probe(), "one at a time")
	require.Equal(t, breakerHalfOpen, b.state())
	b.probed(false)
	require.False(t, b.probe(), "not at once")
	eventually(t, "a probe is due again", b.probe)
	b.probed(true)
	require.Equal(t, breakerClosed, b.state())
	b.failed(early, context.DeadlineExceeded)
	require.Equal(t, breakerClosed, b.state())
	require.Equal(t, []bool{true, false}, changes)

	// Failures count only in a row.
	ticket, _ := b.allow()
	for range 3 * failuresToOpen {
		b.failed(ticket, errors.New("no"))
		b.succeeded(ticket)
	}
	require.Equal(t, breakerClosed, b.state())
}
