package spool

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

func TestDrain_KeepsOrderAcrossSegmentsAndRestarts(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.DrainBatch = 7
	var sent []event.Event
	for range 3 {
		f, events := startAway(t, cfg, withSegments(4<<10))
		sent = append(sent, events...)
		for range 40 {
			events := makeEvents(3)
			f.mustPublish(t, events)
			sent = append(sent, events...)
		}
		f.stop()
	}
	info, err := Inspect(cfg.Dir)
	require.NoError(t, err)
	require.Greater(t, info.Segments, 9)

	f := start(t, cfg, newStream(accepts), withSegments(4<<10))
	backlog, bytes := f.Backlog()
	require.EqualValues(t, len(sent), backlog)
	require.Positive(t, bytes)
	require.Contains(t, f.logs.String(), "holds events from before")
	stop := f.run(t)
	f.drained(t)
	require.Equal(t, ids(sent), f.stream.accepted())
	for _, e := range sent {
		require.Equal(t, e, f.stream.last[e.ID])
		require.Equal(t, 1, f.stream.times[e.ID])
	}
	require.LessOrEqual(t, f.stream.most, cfg.DrainBatch)
	stop()
	f.stop()
	info, err = Inspect(cfg.Dir)
	require.NoError(t, err)
	require.Zero(t, info.Segments)

	f = start(t, cfg, newStream(accepts))
	backlog, bytes = f.Backlog()
	require.Zero(t, backlog)
	require.Zero(t, bytes)
	require.NotContains(t, f.logs.String(), "ERROR")
}

func TestDrain_GoesOnWhereItStopped(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.DrainBatch = 10
	f, sent := startAway(t, cfg)
	for range 97 {
		events := makeEvents(1)
		f.mustPublish(t, events)
		sent = append(sent, events...)
	}
	f.stop()

	// The stream accepts some and goes away again.
	s := newStream(accepts)
	f = start(t, cfg, s)
	for range 4 {
		f.drainer.step(context.Background())
	}
	s.set(loses)
	f.drainer.step(context.Background())
	backlog, _ := f.Backlog()
	require.EqualValues(t, 60, backlog)
	f.stop()

	f = start(t, cfg, s)
	backlog, _ = f.Backlog()
	require.EqualValues(t, 60, backlog)
	s.set(accepts)
	f.run(t)
	f.drained(t)
	require.Equal(t, ids(sent), s.accepted())
	for i, e := range sent {
		if want := 1; i < 40 || i >= 50 {
			require.Equal(t, want, s.times[e.ID], i)
		}
	}
	require.NotContains(t, f.logs.String(), "ERROR")
}

func TestDrain_LosesNothingWhilePublishing(t *testing.T) {
	s := newStream(fails)
	cfg := quick(t.TempDir())
	f := start(t, cfg, s, withSegments(16<<10))
	f.run(t)
	var (
		mu      sync.Mutex
		sent    []uuid.UUID
		clients sync.WaitGroup
	)
	quit := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				events := makeEvents(4)
				if f.Publish(context.Background(), events) == nil {
					mu.Lock()
					sent = append(sent, ids(events)...)
					mu.Unlock()
				}
			}
		})
	}
	for _, mode := range []behaviour{accepts, loses, accepts, hangs, accepts, fails, accepts} {
		s.set(mode)
		before := f.metric(t, "spooled_events_total") + float64(len(s.accepted()))
		eventually(t, "events arrive", func() bool {
			return f.metric(t, "spooled_events_total")+float64(len(s.accepted())) > before+200
		})
	}
	close(quit)
	clients.Wait()
	f.drained(t)
	accepted := map[uuid.UUID]bool{}
	for _, id := range s.accepted() {
		accepted[id] = true
	}
	for _, id := range sent {
		require.True(t, accepted[id], "%s was lost", id)
	}
	require.NotContains(t, f.logs.String(), "ERROR")
}

// A stream that answers, but too late for requests, still gets batches.
func TestDrain_StreamTooSlowForRequests(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.Deadline = 20 * time.Millisecond
	cfg.DrainTimeout = 10 * time.Second
	f, _ := startAway(t, cfg)
	for range 10 {
		f.mustPublish(t, makeEvents(30))
	}
	f.stream.delay.Store(int64(50 * time.Millisecond))
	f.stream.set(accepts)
	f.run(t)
	f.drained(t)
	require.NotEqual(t, breakerClosed, f.breaker.state(), "requests do not try it")
	require.Greater(t, f.stream.most, 1)

	f.stream.delay.Store(0)
	f.mustPublish(t, makeEvents(1))
	eventually(t, "the breaker closes", func() bool {
		if f.breaker.state() == breakerClosed {
			return true
		}
		f.mustPublish(t, makeEvents(1))
		return false
	})
}

func TestDrain_LogsWhenNothingIsLeft(t *testing.T) {
	f, _ := startAway(t, quick(t.TempDir()))
	f.stream.set(accepts)
	f.run(t)
	eventually(t, "it is logged", func() bool { return strings.Contains(f.logs.String(), "the spool is drained") })
}

// After a time-out batches are halved, and doubled again with each success.
func TestDrain_AdaptsTheBatch(t *testing.T) {
	s := batchSize{events: 64, most: 100}
	s.shrink(64)
	s.shrink(32)
	require.Equal(t, 16, s.events)
	s.shrink(1)
	require.Equal(t, 1, s.events)
	for range 10 {
		s.grow()
	}
	require.Equal(t, 100, s.events)

	cfg := quick(t.TempDir())
	cfg.DrainBatch = 8
	f := start(t, cfg, newStream(fails))
	for range 2 {
		f.mustPublish(t, makeEvents(20))
	}
	require.Equal(t, breakerClosed, f.breaker.state(), "two failures are not enough")
	f.stream.set(hangs)
	f.drainer.step(t.Context())
	require.Equal(t, 4, f.drainer.size.events)
	require.Equal(t, breakerOpen, f.breaker.state(), "a time-out opens it at once")
	f.stream.set(accepts)
	f.run(t)
	f.drained(t)
	require.Len(t, f.stream.accepted(), 40)
}

// What the drainer does next depends on the breaker and on whether the stream
// was late, and on nothing else.
func TestDrainer_Mode(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.ProbeInterval = time.Minute
	f := start(t, cfg, newStream(accepts))
	d := f.drainer
	require.Equal(t, drainFollow, d.mode())
	d.late = true
	require.Equal(t, drainFollow, d.mode())

	ticket, _ := f.breaker.allow()
	f.breaker.failed(ticket, context.DeadlineExceeded)
	require.Equal(t, drainLate, d.mode())
	d.late = false
	require.Equal(t, drainWait, d.mode())
	f.breaker.mu.Lock()
	f.breaker.probeAt = time.Now()
	f.breaker.mu.Unlock()
	require.Equal(t, drainProbe, d.mode())
	require.Equal(t, drainWait, d.mode(), "one probe at a time")
	f.breaker.probed(true)
	require.Equal(t, drainFollow, d.mode())
}

// A record that is no event does not hold up the others.
func TestDrain_QuarantinesWhatIsNoEvent(t *testing.T) {
	cfg := quick(t.TempDir())
	j, err := journal.Open(journal.Options{Dir: cfg.Dir, MaxBytes: cfg.MaxBytes})
	require.NoError(t, err)
	events := makeEvents(3)
	var batch journal.Batch
	for i := range events {
		batch.Add(time.Now(), func(dst []byte) []byte {
			at := len(dst)
			dst = appendEvent(dst, &events[i])
			if i == 1 {
				dst[at] = version + 1
			}
			return dst
		})
	}
	require.NoError(t, j.Append(t.Context(), time.Minute, &batch))
	require.NoError(t, j.Close(time.Minute))

	f := start(t, cfg, newStream(accepts))
	f.run(t)
	f.drained(t)
	require.Equal(t, []uuid.UUID{events[0].ID, events[2].ID}, f.stream.accepted())
	require.EqualValues(t, 1, f.metric(t, "corrupt_records_total", "kind", string(journal.CorruptUndecodable)))
	info, err := Inspect(cfg.Dir)
	require.NoError(t, err)
	require.Equal(t, 1, info.Quarantined)
}
