package persist_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Two batches that hold the same event are never inserted at once, or the
// second would fail on the primary key.
func TestHandle_InsertsAnEventInOneBatchAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler()
		var mu sync.Mutex
		inside := map[uuid.UUID]int{}
		h.store.before = func(_ context.Context, events []event.Event) error {
			mu.Lock()
			for _, e := range events {
				inside[e.ID]++
				require.Equal(t, 1, inside[e.ID])
			}
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			for _, e := range events {
				inside[e.ID]--
			}
			return nil
		}
		shared := make([]string, 3)
		for i := range shared {
			shared[i] = uuid.NewString()
		}
		var done sync.WaitGroup
		total := make(chan event.Outcome, 9)
		for i := range 9 {
			done.Go(func() {
				out, err := h.Handle(t.Context(), []event.Delivery{
					delivery(2*i, shared[i%3], "a"), delivery(2*i+1, shared[(i+1)%3], "a"),
				})
				require.NoError(t, err)
				total <- out
			})
		}
		done.Wait()
		close(total)
		n := 0
		for out := range total {
			n += len(out.Done)
		}
		require.Equal(t, 18, n, "each delivery is done: stored, or a duplicate of what was committed before")
		require.Len(t, h.store.rows, 3)
	})
}

func TestHandle_DoesNotWaitForOtherEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler()
		h.store.before = func(context.Context, []event.Event) error { time.Sleep(time.Second); return nil }
		begin := time.Now()
		var done sync.WaitGroup
		for range 5 {
			done.Go(func() {
				_, err := h.Handle(t.Context(), deliveries("a", "b"))
				require.NoError(t, err)
			})
		}
		done.Wait()
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// The copy is stored though the batch with the first one failed.
func TestHandle_StoresTheCopyOfAnEventWhoseBatchFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler()
		id := uuid.NewString()
		calls := 0
		h.store.before = func(context.Context, []event.Event) error {
			calls++
			failing := calls == 1
			time.Sleep(time.Second)
			if failing {
				return event.Unavailable("insert", context.DeadlineExceeded)
			}
			return nil
		}
		var done sync.WaitGroup
		done.Go(func() {
			out, err := h.Handle(t.Context(), []event.Delivery{delivery(0, id, "a")})
			require.Error(t, err)
			require.Empty(t, out.Done)
		})
		synctest.Wait()
		out, err := h.Handle(t.Context(), []event.Delivery{delivery(1, id, "a"), delivery(2, id, "a")})
		done.Wait()
		require.NoError(t, err)
		require.Len(t, out.Done, 2)
		require.Len(t, h.store.rows, 1)
	})
}

func TestHandle_StopsWaitingWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler()
		release := make(chan struct{})
		h.store.before = func(context.Context, []event.Event) error { <-release; return nil }
		same := deliveries("a")
		var done sync.WaitGroup
		done.Go(func() { _, _ = h.Handle(t.Context(), same) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out, err := h.Handle(ctx, same)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, event.KindUnavailable, event.KindOf(err))
		require.Empty(t, out.Done)
		close(release)
		done.Wait()
	})
}
