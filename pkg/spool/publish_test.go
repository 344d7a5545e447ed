package spool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

func TestPublish_LeavesTheDiskAloneWhileTheStreamAccepts(t *testing.T) {
	fs := durabletest.NewFaultFS()
	f := start(t, quick(t.TempDir()), newStream(accepts), withFS(fs))
	events := makeEvents(3)
	f.mustPublish(t, events)
	require.Equal(t, ids(events), f.stream.accepted())
	require.Zero(t, fs.Count(durabletest.OpWrite, func(path string) bool { return filepath.Ext(path) == ".seg" }))
	require.NoError(t, f.Check(context.Background()))
	require.NoError(t, f.Publish(context.Background(), nil))
}

func TestPublish_SpoolsWhatTheStreamDoesNotAccept(t *testing.T) {
	for name, mode := range map[string]behaviour{"fails": fails, "accepts and fails": loses, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			s := newStream(mode)
			f := start(t, quick(t.TempDir()), s)
			events := makeEvents(5)
			for i := range events {
				f.mustPublish(t, events[i:i+1])
			}
			backlog, bytes := f.Backlog()
			require.EqualValues(t, 5, backlog)
			require.Positive(t, bytes)
			require.EqualValues(t, 5, f.metric(t, "spooled_events_total"))
			require.EqualValues(t, breakerOpen, f.metric(t, "breaker_state"))
			require.Positive(t, f.metric(t, "oldest_age_seconds"))
			require.NoError(t, f.Check(context.Background()))
			// A time-out opens the breaker at once, other failures soon.
			if mode == hangs {
				require.EqualValues(t, 1, s.calls.Load())
			} else {
				require.EqualValues(t, failuresToOpen, s.calls.Load())
			}

			s.set(accepts)
			f.run(t)
			f.drained(t)
			require.ElementsMatch(t, ids(events), s.accepted())
			for _, e := range events {
				require.Equal(t, e, s.last[e.ID])
			}
			eventually(t, "the breaker closes", func() bool { return f.metric(t, "breaker_state") == 0 })
			require.EqualValues(t, 5, f.metric(t, "drained_events_total"))
			require.Zero(t, f.metric(t, "backlog_bytes"))
			require.Zero(t, f.metric(t, "oldest_age_seconds"))
			before := s.calls.Load()
			f.mustPublish(t, makeEvents(1))
			require.Equal(t, before+1, s.calls.Load())
		})
	}
}

func TestPublish_EndsWithItsContext(t *testing.T) {
	s := newStream(hangs)
	cfg := quick(t.TempDir())
	cfg.Deadline = 10 * time.Second
	f := start(t, cfg, s)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for s.inside.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	err := f.Publish(ctx, makeEvents(1))
	require.ErrorIs(t, err, context.Canceled)
	requireUnavailable(t, err)
	require.Zero(t, f.metric(t, "breaker_state"), "a caller that leaves says nothing about the stream")

	// Nor does one that has less time than the stream, unless there are more.
	for i := range failuresToOpen {
		require.Equal(t, breakerClosed, f.breaker.state(), i)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		require.ErrorIs(t, f.Publish(ctx, makeEvents(1)), context.DeadlineExceeded)
		cancel()
	}
	require.Equal(t, breakerOpen, f.breaker.state())

	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, f.Publish(ctx, makeEvents(1)), context.Canceled)
}

func TestPublish_SurvivesAPanic(t *testing.T) {
	next := &panicking{}
	l := &logs{}
	s, err := Open(quick(t.TempDir()), next, l.logger(), nil)
	require.NoError(t, err)
	require.NoError(t, s.Publish(context.Background(), makeEvents(1)))
	backlog, _ := s.Backlog()
	require.EqualValues(t, 1, backlog)
	require.NoError(t, s.Close())
}

type panicking struct{}

func (panicking) PublishWithin(context.Context, time.Duration, []event.Event) error { panic("no") }

func TestPublish_UnavailableAfterClose(t *testing.T) {
	f := start(t, quick(t.TempDir()), newStream(accepts))
	f.stop()
	requireUnavailable(t, f.Publish(context.Background(), makeEvents(1)))
	requireUnavailable(t, f.Check(context.Background()))
	require.NoError(t, f.Close())
}

// A stream that hangs costs the requests under way their deadline, and those
// that come later nothing: they do not try it.
func TestPublish_DoesNotWaitForAStreamThatHangs(t *testing.T) {
	s := newStream(hangs)
	f := start(t, quick(t.TempDir()), s)
	var clients sync.WaitGroup
	var sent []event.Event
	for range 50 {
		events := makeEvents(1)
		sent = append(sent, events...)
		clients.Go(func() { f.mustPublish(t, events) })
	}
	clients.Wait()
	require.Equal(t, breakerOpen, f.breaker.state())
	calls := s.calls.Load()
	require.LessOrEqual(t, calls, int64(50))
	for range 100 {
		events := makeEvents(1)
		sent = append(sent, events...)
		f.mustPublish(t, events)
	}
	require.Equal(t, calls, s.calls.Load())

	s.set(accepts)
	f.run(t)
	f.drained(t)
	require.ElementsMatch(t, ids(sent), s.accepted())
}

// A disk that has failed is reported, events go to the stream as long as it
// accepts them, and what is on disk is drained.
func TestPublish_DiskHasFailed(t *testing.T) {
	fs := durabletest.NewFaultFS()
	cfg := quick(t.TempDir())
	f, sent := startAway(t, cfg, withFS(fs))
	fs.Fail(durabletest.OpSync, func(string) error { return durabletest.ErrDisk })
	e := requireUnavailable(t, f.Publish(t.Context(), makeEvents(7)))
	require.ErrorContains(t, e, "disk has failed")
	requireUnavailable(t, f.Check(t.Context()))
	require.EqualValues(t, 1, f.metric(t, "failed"))
	require.EqualValues(t, 7, f.metric(t, "rejected_events_total", "reason", reasonFailed))
	backlog, _ := f.Backlog()
	require.EqualValues(t, len(sent), backlog)

	f.stream.set(accepts)
	f.run(t)
	f.drained(t)
	require.Equal(t, ids(sent), f.stream.accepted())
	eventually(t, "the breaker closes", func() bool { return f.breaker.state() == breakerClosed })
	f.mustPublish(t, makeEvents(1))
	requireUnavailable(t, f.Check(t.Context()))
	f.stop()

	f = start(t, cfg, newStream(accepts))
	f.run(t)
	f.drained(t)
	require.Subset(t, f.stream.accepted(), ids(sent))
	require.NoError(t, f.Check(t.Context()))
}

// A failed disk without a backlog leaves the drainer nothing to find out with
// that the stream is back: requests do, one now and then.
func TestPublish_ProbesTheStreamWhenTheDiskHasFailed(t *testing.T) {
	fs := durabletest.NewFaultFS()
	fs.Fail(durabletest.OpSync, func(string) error { return durabletest.ErrDisk })
	f := start(t, quick(t.TempDir()), newStream(hangs), withFS(fs))
	f.run(t)
	for range 5 {
		requireUnavailable(t, f.Publish(t.Context(), makeEvents(1)))
	}
	require.NotEqual(t, breakerClosed, f.breaker.state())
	f.stream.set(accepts)
	eventually(t, "the stream is tried again", func() bool { return f.Publish(t.Context(), makeEvents(1)) == nil })
	require.Equal(t, breakerClosed, f.breaker.state())
}

func TestPublish_DiskIsFull(t *testing.T) {
	fs := durabletest.NewSizedFS(-1, -1)
	f, _ := startAway(t, quick(t.TempDir()), withFS(fs))
	fs.Resize(0, 1<<30)
	e := requireUnavailable(t, f.Publish(t.Context(), makeEvents(10)))
	require.ErrorContains(t, e, "full")
	require.EqualValues(t, 1, f.metric(t, "full"))
	require.EqualValues(t, 10, f.metric(t, "rejected_events_total", "reason", reasonFull))
	requireUnavailable(t, f.Check(t.Context()))
	fs.Resize(-1, -1)
	f.mustPublish(t, makeEvents(1))
	require.NoError(t, f.Check(t.Context()))
	require.Zero(t, f.metric(t, "full"))
}

// A disk that hangs costs a request the time-outs at most.
func TestPublish_DiskHangs(t *testing.T) {
	fs := durabletest.NewFaultFS()
	cfg := quick(t.TempDir())
	cfg.CommitTimeout = 50 * time.Millisecond
	f, sent := startAway(t, cfg, withFS(fs))
	release := make(chan struct{})
	fs.Fail(durabletest.OpSync, func(string) error { <-release; return nil })
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			e := requireUnavailable(t, f.Publish(t.Context(), makeEvents(1)))
			require.ErrorContains(t, e, "does not keep up")
		})
	}
	clients.Wait()
	requireUnavailable(t, f.Check(t.Context()))
	require.EqualValues(t, 50, f.metric(t, "rejected_events_total", "reason", reasonSlow))
	close(release)
	fs.Heal()
	eventually(t, "the disk is back", func() bool { return f.Check(t.Context()) == nil })
	f.stream.set(accepts)
	f.run(t)
	f.drained(t)
	require.Subset(t, f.stream.accepted(), ids(sent))
}

func TestClassify(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("%w: x", journal.ErrFailed): reasonFailed,
		journal.ErrFull:                        reasonFull,
		journal.ErrSlow:                        reasonSlow,
		journal.ErrClosed:                      reasonClosed,
		context.Canceled:                       reasonAbandoned,
		context.DeadlineExceeded:               reasonAbandoned,
		errors.New("too many open files"):      reasonDisk,
	} {
		reason, retryAfter := classify(err)
		require.Equal(t, want, reason, err)
		require.Positive(t, retryAfter)
	}
}

func TestOpen_RejectsItsConfig(t *testing.T) {
	l := &logs{}
	_, err := Open(Config{}, newStream(accepts), l.logger(), nil)
	for _, key := range []string{"max_bytes", "deadline", "commit_timeout", "probe_interval", "drain_timeout", "drain_batch"} {
		require.ErrorContains(t, err, "spool."+key)
	}
	require.NoError(t, DefaultConfig().Validate())
	_, err = Open(DefaultConfig(), newStream(accepts), l.logger(), nil)
	require.ErrorContains(t, err, "spool.dir")
}
