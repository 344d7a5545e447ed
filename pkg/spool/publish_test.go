package spool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestPublishLeavesTheDiskAloneWhileTheStreamTakes(t *testing.T) {
	fs := newFaulty()
	r := start(t, quick(t.TempDir()), newStream(takes), withFiles(fs))
	events := makeEvents(3)
	r.publish(t, events)
	require.Equal(t, ids(events), r.stream.taken())
	writes, _ := fs.counts("segment")
	require.Zero(t, writes)
	require.NoError(t, r.Check(context.Background()))
	require.NoError(t, r.Publish(context.Background(), nil))
}

func TestPublishSpoolsWhatTheStreamDoesNotTake(t *testing.T) {
	for name, mode := range map[string]behaviour{"refuses": refuses, "takes and fails": loses, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			s := newStream(mode)
			r := start(t, quick(t.TempDir()), s)
			events := makeEvents(5)
			for i := range events {
				r.publish(t, events[i:i+1])
			}
			backlog, bytes := r.Backlog()
			require.EqualValues(t, 5, backlog)
			require.Positive(t, bytes)
			require.EqualValues(t, 5, r.metric(t, "spooled_events_total"))
			require.EqualValues(t, breakerOpen, r.metric(t, "breaker_state"))
			require.Positive(t, r.metric(t, "oldest_age_seconds"))
			require.NoError(t, r.Check(context.Background()))
			// A time-out opens the breaker at once, other failures soon.
			if mode == hangs {
				require.EqualValues(t, 1, s.calls.Load())
			} else {
				require.EqualValues(t, failuresToOpen, s.calls.Load())
			}

			s.set(takes)
			r.run(t)
			r.drained(t)
			require.ElementsMatch(t, ids(events), s.taken())
			for _, e := range events {
				require.Equal(t, e, s.last[e.ID])
			}
			eventually(t, "the breaker closes", func() bool { return r.metric(t, "breaker_state") == 0 })
			require.EqualValues(t, 5, r.metric(t, "drained_events_total"))
			require.Zero(t, r.metric(t, "backlog_bytes"))
			require.Zero(t, r.metric(t, "oldest_age_seconds"))
			before := s.calls.Load()
			r.publish(t, makeEvents(1))
			require.Equal(t, before+1, s.calls.Load())
		})
	}
}

func TestPublishPassesOnWhatIsAboutTheEvents(t *testing.T) {
	r := start(t, quick(t.TempDir()), newStream(disagrees))
	for range 2 * failuresToOpen {
		err := r.Publish(context.Background(), makeEvents(1))
		require.Equal(t, event.KindTooLarge, event.KindOf(err))
	}
	backlog, _ := r.Backlog()
	require.Zero(t, backlog)
	require.Zero(t, r.metric(t, "breaker_state"))
}

func TestPublishHeedsItsContext(t *testing.T) {
	s := newStream(hangs)
	cfg := quick(t.TempDir())
	cfg.Deadline = 10 * time.Second
	r := start(t, cfg, s)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for s.inside.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	err := r.Publish(ctx, makeEvents(1))
	require.ErrorIs(t, err, context.Canceled)
	requireUnavailable(t, err)
	require.Zero(t, r.metric(t, "breaker_state"), "a caller that leaves says nothing about the stream")

	// Nor does one that has less time than the stream, unless there are more.
	for i := range failuresToOpen {
		require.Equal(t, breakerClosed, r.breaker.state(), i)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		require.ErrorIs(t, r.Publish(ctx, makeEvents(1)), context.DeadlineExceeded)
		cancel()
	}
	require.Equal(t, breakerOpen, r.breaker.state())

	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, r.Publish(ctx, makeEvents(1)), context.Canceled)
}

func TestPublishSurvivesAPanic(t *testing.T) {
	r := &panicking{}
	l := &logs{}
	s, err := Open(quick(t.TempDir()), r, l.logger(), nil)
	require.NoError(t, err)
	require.NoError(t, s.Publish(context.Background(), makeEvents(1)))
	backlog, _ := s.Backlog()
	require.EqualValues(t, 1, backlog)
	require.NoError(t, s.Close())
}

type panicking struct{}

func (panicking) PublishWithin(context.Context, time.Duration, []event.Event) error { panic("no") }

func TestPublishAfterClose(t *testing.T) {
	r := start(t, quick(t.TempDir()), newStream(takes))
	r.stop()
	requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
	requireUnavailable(t, r.Check(context.Background()))
	require.NoError(t, r.Close())
}

// A stream that hangs costs the requests under way their deadline, and those
// that come later nothing.
func TestPublishStaysFastWhileTheStreamHangs(t *testing.T) {
	s := newStream(takes)
	cfg := DefaultConfig()
	cfg.Dir = memoryDir(t)
	r := start(t, cfg, s)
	r.run(t)
	const rate, seconds = 500, 3
	var (
		mu      sync.Mutex
		took    []time.Duration
		failed  []error
		sent    []event.Event
		clients sync.WaitGroup
	)
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for i := range rate * seconds {
		<-tick.C
		if i == rate/2 {
			s.set(hangs)
		}
		clients.Go(func() {
			events := makeEvents(1)
			start := time.Now()
			err := r.Publish(context.Background(), events)
			d := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, d)
			sent = append(sent, events...)
			if err != nil {
				failed = append(failed[:0], err)
			}
		})
	}
	clients.Wait()
	require.Empty(t, failed)
	p50, p99, most := percentiles(took)
	t.Logf("p50 %s, p99 %s, max %s; %d calls of the stream, %d of them under way at the end",
		p50, p99, most, s.calls.Load(), s.inside.Load())
	require.Less(t, p99, time.Second)
	require.Less(t, s.inside.Load(), int64(rate/2))

	s.set(takes)
	r.drained(t)
	require.ElementsMatch(t, ids(sent), s.taken())
}

func TestPublishGroupsCommits(t *testing.T) {
	fs := newFaulty()
	r := start(t, quick(t.TempDir()), newStream(refuses), withFiles(fs))
	_, opened := fs.counts("segment")
	for range failuresToOpen {
		r.publish(t, makeEvents(1))
	}
	_, before := fs.counts("segment")
	require.Equal(t, failuresToOpen, before-opened, "alone, a request is synced once")

	// While one sync is under way, everybody else gathers.
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fs.set(func(f *faulty) {
		f.onSync = func(string) error {
			once.Do(func() { close(entered); <-release })
			return nil
		}
	})
	const n = 200
	var clients sync.WaitGroup
	errs := make(chan error, n)
	clients.Go(func() { errs <- r.Publish(context.Background(), makeEvents(1)) })
	<-entered
	for range n - 1 {
		clients.Go(func() { errs <- r.Publish(context.Background(), makeEvents(1)) })
	}
	eventually(t, "all of them wait", func() bool {
		r.journal.queue.mu.Lock()
		defer r.journal.queue.mu.Unlock()
		return len(r.journal.queue.requests) == n-1
	})
	close(release)
	clients.Wait()
	for range n {
		require.NoError(t, <-errs)
	}
	_, after := fs.counts("segment")
	require.Equal(t, 2, after-before)
	backlog, _ := r.Backlog()
	require.EqualValues(t, n+failuresToOpen, backlog)
	require.EqualValues(t, after-opened, r.metric(t, "commit_seconds"))
}

func TestBreakerIgnoresOutcomesFromBefore(t *testing.T) {
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

func percentiles(took []time.Duration) (p50, p99, most time.Duration) {
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
}
