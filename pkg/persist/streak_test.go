package persist_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// A database that rejects everything is not the fault of the events: they are
// not all made dead letters.
func TestHandle_PausesWhenEverythingIsRejectedAlike(t *testing.T) {
	for _, source := range []string{rejected, dropped} {
		t.Run(source, func(t *testing.T) {
			h := newHandler()
			all := deliveries(slices.Repeat([]string{source}, 1000)...)
			out, err := h.Handle(t.Context(), all)
			require.Equal(t, event.KindUnavailable, event.KindOf(err))
			require.ErrorContains(t, err, "100 events in a row could not be stored for the same reason ("+source)
			require.Len(t, out.Rejected, 100)
			require.Empty(t, out.Done)

			for range 5 {
				calls := len(h.store.batches)
				out, err = h.Handle(t.Context(), all[100:])
				require.Equal(t, event.KindUnavailable, event.KindOf(err))
				require.Len(t, out.Rejected, 1, "one at a time")
				require.LessOrEqual(t, len(h.store.batches)-calls, 10)
			}
		})
	}
}

// One event that can be stored ends the pause, wherever it is.
func TestHandle_GoesOnWhenAnEventIsStoredAgain(t *testing.T) {
	h := newHandler()
	_, err := h.Handle(t.Context(), deliveries(slices.Repeat([]string{rejected}, 200)...))
	require.Error(t, err)

	out, err := h.Handle(t.Context(), deliveries("a", "b", rejected))
	require.NoError(t, err)
	require.Len(t, out.Done, 2)
	require.Len(t, out.Rejected, 1)
}

func TestHandle_GoesOnThroughALongRunOfPoisonAmongOthers(t *testing.T) {
	h := newHandler()
	left := deliveries(append(slices.Repeat([]string{rejected}, 150), slices.Repeat([]string{"a"}, 850)...)...)
	var done, rejections int
	for attempts := 0; len(left) > 0; attempts++ {
		require.Less(t, attempts, 5)
		out, _ := h.Handle(t.Context(), left)
		done, rejections = done+len(out.Done), rejections+len(out.Rejected)
		settled := map[string]bool{}
		for _, d := range out.Done {
			require.False(t, settled[d.EntryID], "listed once")
			settled[d.EntryID] = true
		}
		for _, r := range out.Rejected {
			require.False(t, settled[r.EntryID], "listed once")
			settled[r.EntryID] = true
		}
		left = slices.DeleteFunc(left, func(d event.Delivery) bool { return settled[d.EntryID] })
	}
	require.Equal(t, 850, done)
	require.Equal(t, 150, rejections)
}

// Different reasons are the events' own.
func TestHandle_DoesNotPauseForDifferentReasons(t *testing.T) {
	h := newHandler()
	mixed := slices.Repeat([]string{rejected, dropped}, 200)
	out, err := h.Handle(t.Context(), deliveries(mixed...))
	require.NoError(t, err)
	require.Len(t, out.Rejected, 400)
}
