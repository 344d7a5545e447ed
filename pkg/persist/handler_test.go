package persist_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestHandle_StoresABatchInOneInsert(t *testing.T) {
	h := newHandler()
	out, err := h.Handle(t.Context(), deliveries("a", "b", "c"))
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2"}, numbers(out.Done))
	require.Empty(t, out.Rejected)
	require.Equal(t, []int{3}, h.store.batches)
	require.Len(t, h.store.rows, 3)
	require.Equal(t, 3, strings.Count(h.log.String(), "Event persisted"))
}

func TestHandle_SkipsDuplicates(t *testing.T) {
	h := newHandler()
	same := deliveries("a")
	_, err := h.Handle(t.Context(), same)
	require.NoError(t, err)
	out, err := h.Handle(t.Context(), same)
	require.NoError(t, err)
	require.Equal(t, []string{"0"}, numbers(out.Done))
	require.Contains(t, h.log.String(), "Duplicate event skipped")
	require.Contains(t, h.log.String(), "duplicates=1")
}

func TestHandle_RejectsWhatIsNoEvent(t *testing.T) {
	h := newHandler()
	batch := deliveries("a", "b", "c")
	batch[1].Fields = []string{"not", "an event"}
	out, err := h.Handle(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, []string{"0", "2"}, numbers(out.Done))
	require.Equal(t, []string{"1 unreadable"}, reasons(out.Rejected))
	require.NotEmpty(t, out.Rejected[0].Message)
}

func TestHandle_IsDoneWithEntriesThatWereDeleted(t *testing.T) {
	h := newHandler()
	out, err := h.Handle(t.Context(), []event.Delivery{{EntryID: "1-0"}})
	require.NoError(t, err)
	require.Len(t, out.Done, 1)
	require.Empty(t, h.store.batches)
	require.Contains(t, h.log.String(), "entry was deleted before it was stored")
}

func TestHandle_IsolatesWhatTheDatabaseRejects(t *testing.T) {
	h := newHandler()
	batch := deliveries("a", rejected, "b", "c", "d", "e", rejected, rejected, "f")
	out, err := h.Handle(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, []string{"0", "2", "3", "4", "5", "8"}, numbers(out.Done))
	require.Equal(t, []string{"1 rejected 22P02", "6 rejected 22P02", "7 rejected 22P02"}, reasons(out.Rejected))
	require.Len(t, h.store.rows, 6)
	require.NoError(t, testutil.GatherAndCompare(h.reg, strings.NewReader(`
# HELP eventpulse_persist_rejected_events_total Deliveries that can never be stored, by reason; one that could not be dead-lettered is counted again when it comes back.
# TYPE eventpulse_persist_rejected_events_total counter
eventpulse_persist_rejected_events_total{reason="dropped"} 0
eventpulse_persist_rejected_events_total{reason="rejected"} 3
eventpulse_persist_rejected_events_total{reason="unreadable"} 0
`), "eventpulse_persist_rejected_events_total"))
}

// What the database leaves out without an error is neither stored nor a
// duplicate.
func TestHandle_RejectsWhatTheDatabaseDrops(t *testing.T) {
	h := newHandler()
	out, err := h.Handle(t.Context(), deliveries("a", dropped, "b"))
	require.NoError(t, err)
	require.Equal(t, []string{"0", "2"}, numbers(out.Done))
	require.Equal(t, []string{"1 dropped"}, reasons(out.Rejected))
	require.Contains(t, out.Rejected[0].Message, "trigger")
	require.Contains(t, h.log.String(), "events=2 duplicates=0")
}

func TestHandle_LeavesAllThatIsUnsettledWhenTheDatabaseGoesAway(t *testing.T) {
	h := newHandler()
	calls := 0
	h.store.before = func(context.Context, []event.Event) error {
		if calls++; calls > 2 {
			return event.Unavailable("insert", context.DeadlineExceeded)
		}
		return nil
	}
	// The first call is rejected, the second stores the first half.
	out, err := h.Handle(t.Context(), deliveries("a", "b", rejected, "c"))
	require.Equal(t, event.KindUnavailable, event.KindOf(err))
	require.Equal(t, []string{"0", "1"}, numbers(out.Done))
	require.Empty(t, out.Rejected)
	require.Equal(t, 3, calls, "the rest would fare no better")
}

func TestHandle_LeavesAloneWhatFailsForAnUnknownReason(t *testing.T) {
	h := newHandler()
	out, err := h.Handle(t.Context(), deliveries("a", unknown, "b", rejected, unknown))
	require.ErrorContains(t, err, "raised")
	require.NotEqual(t, event.KindUnavailable, event.KindOf(err))
	require.Equal(t, []string{"0", "2"}, numbers(out.Done))
	require.Equal(t, []string{"3 rejected 22P02"}, reasons(out.Rejected))
}

// A reason that nobody knows and that hits every event is not the events': they
// are not all tried alone.
func TestHandle_GivesUpIsolatingWhenNothingCanBeStored(t *testing.T) {
	h := newHandler()
	out, err := h.Handle(t.Context(), deliveries(slices.Repeat([]string{unknown}, 1000)...))
	require.Error(t, err)
	require.Empty(t, out.Done)
	require.Empty(t, out.Rejected)
	require.Less(t, len(h.store.batches), 40)
}

// A message of a dead letter and a log line never show what a producer sent.
func TestHandle_LogsNoPayload(t *testing.T) {
	h := newHandler()
	d := delivery(0, uuid.NewString(), "a")
	d.Fields[9] = `{"card":"4111-secret"}`
	bad := delivery(1, uuid.NewString(), "a")
	bad.Fields[9] = `{"card":"4111-secret"`
	out, err := h.Handle(t.Context(), []event.Delivery{d, bad})
	require.NoError(t, err)
	require.Len(t, out.Done, 2-len(out.Rejected))
	require.NotContains(t, h.log.String(), "secret")
	for _, r := range out.Rejected {
		require.NotContains(t, r.Message, "secret")
	}
}
