package journal

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
)

// block makes syncs of segments wait. It returns what is closed when the first
// one has begun, and what ends the wait.
func block(fs *durabletest.FaultFS) (entered chan struct{}, release func()) {
	entered = make(chan struct{})
	gate := make(chan struct{})
	var first, last sync.Once
	fs.Fail(durabletest.OpSync, func(string) error {
		first.Do(func() { close(entered) })
		<-gate
		return nil
	})
	return entered, func() { last.Do(func() { close(gate) }) }
}

func TestAppend_SharesASync(t *testing.T) {
	fs := durabletest.NewFaultFS()
	f := openJournal(t, t.TempDir(), withFS(fs))
	opened := fs.Count(durabletest.OpSync, isSegment)
	f.appendEach(t, payloads(3)...)
	before := fs.Count(durabletest.OpSync, isSegment)
	require.Equal(t, 3, before-opened, "alone, a batch is synced once")

	// While one sync is under way, everybody else gathers.
	entered, release := block(fs)
	defer release()
	const n = 200
	errs := make(chan error, n)
	go func() { errs <- f.tryAppend(payloads(1)...) }()
	<-entered
	for range n - 1 {
		go func() { errs <- f.tryAppend(payloads(1)...) }()
	}
	require.Eventually(t, func() bool { return f.queue.Held().Items == n-1 }, testTimeout, time.Millisecond)
	release()
	for range n {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 2, fs.Count(durabletest.OpSync, isSegment)-before)
	require.EqualValues(t, n+3, f.Stats().Records)
	require.Equal(t, []int{1, 1, 1, 1, n - 1}, f.committedRecords())
}

func TestAppend_TimesOutWhileTheDiskHangs(t *testing.T) {
	fs := durabletest.NewFaultFS()
	f := openJournal(t, t.TempDir(), withFS(fs))
	entered, release := block(fs)
	defer release()
	first := make(chan error, 1)
	go func() { first <- f.tryAppend("first") }()
	<-entered
	const timeout = 20 * time.Millisecond
	waiting := make(chan error, 1)
	go func() { waiting <- f.Append(context.Background(), timeout, batchOf(time.Now(), []string{"late"})) }()
	err := <-waiting
	require.ErrorIs(t, err, ErrSlow)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorIs(t, f.Check(timeout), ErrSlow)
	require.NoError(t, f.Check(testTimeout), "it may still be back by then")

	ctx, cancel := context.WithCancel(context.Background())
	go func() { waiting <- f.Append(ctx, testTimeout, batchOf(time.Now(), []string{"abandoned"})) }()
	require.Eventually(t, func() bool { return f.queue.Held().Items > 0 }, testTimeout, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)

	release()
	require.NoError(t, <-first)
	f.append(t, "next")
	require.NoError(t, f.Check(timeout))
	require.Equal(t, []string{"first", "next"}, f.drain(t, 10), "what was abandoned is not written")
}

func TestAppend_BoundsWhatWaits(t *testing.T) {
	fs := durabletest.NewFaultFS()
	f := openJournal(t, t.TempDir(), withFS(fs))
	entered, release := block(fs)
	defer release()
	errs := make(chan error, 3)
	go func() { errs <- f.tryAppend("first") }()
	<-entered
	large := string(make([]byte, queueBytes-100))
	go func() { errs <- f.tryAppend(large) }()
	require.Eventually(t, func() bool { return f.queue.Held().Items == 1 }, testTimeout, time.Millisecond)
	require.ErrorIs(t, f.tryAppend(payloads(1)...), ErrSlow)
	release()
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
}

func TestClose_TimesOutWhileTheDiskHangs(t *testing.T) {
	fs := durabletest.NewFaultFS()
	dir := t.TempDir()
	f := openJournal(t, dir, withFS(fs))
	entered, release := block(fs)
	defer release()
	appended := make(chan error, 1)
	go func() { appended <- f.tryAppend("x") }()
	<-entered
	require.ErrorIs(t, f.Close(time.Millisecond), ErrSlow)
	_, err := tryOpen(dir)
	require.Error(t, err, "it is still locked")
	release()
	require.NoError(t, <-appended)
	f.close(t)
	require.Equal(t, []string{"x"}, openJournal(t, dir).drain(t, 10))
}
