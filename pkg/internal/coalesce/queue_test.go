package coalesce

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errHandled = errors.New("handled")

// serve runs n servers, ended with the test by closing q.
func serve[T any](t *testing.T, q *Queue[T], n int, handle func([]*Entry[T])) {
	t.Helper()
	var servers sync.WaitGroup
	for range n {
		servers.Go(func() { q.Serve(handle) })
	}
	t.Cleanup(func() { q.Close(); servers.Wait() })
}

// answer completes a batch with err.
func answer(err error) func([]*Entry[int]) {
	return func(batch []*Entry[int]) {
		for _, e := range batch {
			e.Complete(err)
		}
	}
}

func one(bytes int) Size { return Size{Items: 1, Bytes: bytes} }

func TestQueue_DoReturnsWhatItIsCompletedWith(t *testing.T) {
	q := New[int](Config{})
	serve(t, q, 1, func(batch []*Entry[int]) {
		for _, e := range batch {
			if e.Value == 1 {
				e.Complete(errHandled)
				continue
			}
			e.Complete(nil)
		}
	})
	require.ErrorIs(t, q.Do(t.Context(), time.Minute, 1, one(0)), errHandled)
	require.NoError(t, q.Do(t.Context(), time.Minute, 2, one(0)))
}

func TestQueue_WhatArrivesDuringABatchMakesUpTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](Config{Batch: Size{Items: 4, Bytes: 1000}})
		var batches [][]int
		open := make(chan struct{})
		serve(t, q, 1, func(batch []*Entry[int]) {
			var values []int
			for _, e := range batch {
				values = append(values, e.Value)
			}
			batches = append(batches, values)
			<-open
		})
		enqueue := func(value, bytes int) { require.NoError(t, q.Enqueue(value, one(bytes))) }
		enqueue(0, 1)
		synctest.Wait()
		for value := 1; value <= 6; value++ {
			enqueue(value, 1)
		}
		enqueue(7, 700)
		enqueue(8, 700)
		enqueue(9, 5000) // more than a batch holds: alone
		enqueue(10, 1)
		close(open)
		synctest.Wait()
		require.Equal(t, [][]int{{0}, {1, 2, 3, 4}, {5, 6, 7}, {8}, {9}, {10}}, batches)
		require.Zero(t, q.Held())
	})
}

func TestQueue_IsBounded(t *testing.T) {
	for name, cfg := range map[string]Config{
		"by items": {Queue: Size{Items: 3}},
		"by bytes": {Queue: Size{Bytes: 30}},
	} {
		t.Run(name, func(t *testing.T) {
			q := New[int](cfg)
			for range 3 {
				require.NoError(t, q.Enqueue(0, one(10)))
			}
			require.ErrorIs(t, q.Enqueue(0, one(10)), ErrFull)
			require.ErrorIs(t, q.Do(t.Context(), time.Minute, 0, one(10)), ErrFull)
			require.Equal(t, Size{Items: 3, Bytes: 30}, q.Held())
		})
	}
}

func TestQueue_TakesAValueLargerThanItselfWhenEmpty(t *testing.T) {
	q := New[int](Config{Queue: Size{Items: 3, Bytes: 10}})
	require.NoError(t, q.Enqueue(0, Size{Items: 50, Bytes: 500}))
	require.ErrorIs(t, q.Enqueue(0, one(1)), ErrFull)
}

func TestQueue_CountsUntilDequeuedOrUntilServed(t *testing.T) {
	for _, served := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			q := New[int](Config{Queue: Size{Items: 1}, CountServed: served})
			open := make(chan struct{})
			serve(t, q, 1, func([]*Entry[int]) { <-open })
			require.NoError(t, q.Enqueue(0, one(1)))
			synctest.Wait()
			if served {
				require.ErrorIs(t, q.Enqueue(1, one(1)), ErrFull)
				require.Equal(t, one(1), q.Held())
			} else {
				require.Zero(t, q.Held())
				require.NoError(t, q.Enqueue(1, one(1)))
			}
			close(open)
			synctest.Wait()
			require.Zero(t, q.Held())
		})
	}
}

func TestQueue_AbandonedValueIsNotServedAndCountsUntilPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observed := 0
		q := New[int](Config{Observe: func(items int) { observed += items }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- q.Do(ctx, time.Hour, 1, one(10)) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		err := q.Do(t.Context(), time.Second, 2, one(10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, Size{Items: 2, Bytes: 20}, q.Held())
		require.Equal(t, 2, observed)

		var served []int
		serve(t, q, 1, func(batch []*Entry[int]) {
			for _, e := range batch {
				served = append(served, e.Value)
				e.Complete(nil)
			}
		})
		require.NoError(t, q.Do(t.Context(), time.Second, 3, one(10)))
		require.Equal(t, []int{3}, served)
		require.Zero(t, q.Held())
		require.Zero(t, observed)
	})
}

func TestQueue_DoGivesUpOnABatchUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](Config{})
		open := make(chan struct{})
		defer close(open)
		serve(t, q, 1, func(batch []*Entry[int]) { <-open; answer(nil)(batch) })
		start := time.Now()
		require.ErrorIs(t, q.Do(t.Context(), time.Second, 0, one(1)), os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, time.Second, q.Stalled())
	})
}

func TestQueue_FailsAtOnceWhileEveryServerIsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](Config{})
		require.Zero(t, q.Stalled(), "nobody serves")
		open := make(chan struct{})
		serve(t, q, 2, func(batch []*Entry[int]) { <-open; answer(nil)(batch) })
		synctest.Wait()
		require.NoError(t, q.Enqueue(0, one(1)))
		time.Sleep(time.Minute)
		require.Zero(t, q.Stalled(), "one server is free")
		require.NoError(t, q.Enqueue(0, one(1)))
		time.Sleep(2 * time.Second)

		require.ErrorIs(t, q.Do(t.Context(), time.Second, 0, one(1)), ErrStalled)
		require.ErrorIs(t, ErrStalled, os.ErrDeadlineExceeded)
		require.ErrorIs(t, q.Do(t.Context(), 3*time.Second, 0, one(1)), os.ErrDeadlineExceeded)
		require.NoError(t, q.Enqueue(0, one(1)), "it would wait for ever")
		close(open)
		synctest.Wait()
		require.NoError(t, q.Do(t.Context(), time.Second, 0, one(1)))
	})
}

func TestQueue_ServesWhatItHoldsWhenClosed(t *testing.T) {
	q := New[int](Config{Batch: Size{Items: 2}})
	for value := range 5 {
		require.NoError(t, q.Enqueue(value, one(1)))
	}
	q.Close()
	q.Close()
	require.ErrorIs(t, q.Enqueue(0, one(1)), ErrClosed)
	require.ErrorIs(t, q.Do(t.Context(), time.Minute, 0, one(1)), ErrClosed)
	var served []int
	q.Serve(func(batch []*Entry[int]) {
		for _, e := range batch {
			served = append(served, e.Value)
		}
	})
	require.Equal(t, []int{0, 1, 2, 3, 4}, served)
}

func TestQueue_DiscardAnswersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](Config{CountServed: true})
		open := make(chan struct{})
		serve(t, q, 1, func([]*Entry[int]) { <-open })
		require.NoError(t, q.Enqueue(0, one(5)))
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- q.Do(t.Context(), time.Hour, 1, one(10)) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, q.Do(ctx, time.Hour, 2, one(10)), context.Canceled)

		q.Close()
		require.Equal(t, one(10), q.Discard())
		require.ErrorIs(t, <-done, ErrClosed)
		require.Equal(t, one(5), q.Held(), "what is being served")
		close(open)
		synctest.Wait()
		require.Zero(t, q.Held())
	})
}

// Every value is answered once, whether its caller waits or gives up.
func TestQueue_Concurrently(t *testing.T) {
	q := New[int](Config{Queue: Size{Items: 64}, Batch: Size{Items: 7}})
	var mu sync.Mutex
	served := map[int]int{}
	serve(t, q, 3, func(batch []*Entry[int]) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range batch {
			served[e.Value]++
			e.Complete(nil)
		}
	})
	var callers sync.WaitGroup
	var confirmed sync.Map
	for caller := range 16 {
		callers.Go(func() {
			for i := range 500 {
				value := caller*1000 + i + 1
				timeout := time.Minute
				if i%5 == 0 {
					timeout = time.Microsecond
				}
				err := q.Do(t.Context(), timeout, value, one(1))
				switch {
				case err == nil:
					confirmed.Store(value, true)
				case errors.Is(err, ErrFull), timeout < time.Second && errors.Is(err, os.ErrDeadlineExceeded):
				default:
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	q.Close()
	require.Eventually(t, func() bool { return q.Held() == Size{} }, time.Minute, time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.NotContains(t, served, 0, "an abandoned value")
	confirmed.Range(func(value, _ any) bool {
		require.Equal(t, 1, served[value.(int)])
		return true
	})
}
