package consumer

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a worker at work on fakes.
type running struct {
	*Worker
	stop func()
	log  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, s Stream, db Store, change ...func(*Config)) *running {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Consumer, cfg.Block, cfg.BatchSize, cfg.ShutdownTimeout = "me", 50*time.Millisecond, 10, 2*time.Second
	for _, f := range change {
		f(&cfg)
	}
	require.NoError(t, cfg.Validate())
	log := &lockedBuffer{}
	w := New(cfg, s, db, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	stop := sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return &running{w, stop, log}
}

func TestStoresAndAcknowledgesEverything(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	s.add(good(95)...)
	w := start(t, s, db)
	eventually(t, "all stored and acknowledged", func() bool { return db.count() == 95 && s.pendingCount() == 0 })
	s.add(good(3)...)
	eventually(t, "live ones too", func() bool { return db.count() == 98 && s.pendingCount() == 0 })
	w.stop()
	require.LessOrEqual(t, db.largest, 10)
	require.InDelta(t, 98, testutil.ToFloat64(w.metrics.persisted), 0)
	require.Len(t, s.acked, 98)
	require.Equal(t, 98, strings.Count(w.log.String(), "Event persisted"))
}

func TestSurvivesEveryCallFailingBothWays(t *testing.T) {
	both := func() faults { return faults{script: []failing{before, after, none, after, before, none, after}} }
	for name, inject := range map[string]func(*fakeStream, *fakeStore){
		"read":   func(s *fakeStream, _ *fakeStore) { s.read = both() },
		"ack":    func(s *fakeStream, _ *fakeStore) { s.ack = both() },
		"insert": func(_ *fakeStream, db *fakeStore) { db.insert = both() },
		"all": func(s *fakeStream, db *fakeStore) {
			s.read, s.ack, db.insert = both(), both(), both()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, db := newFakeStream(), newFakeStore()
			s.add(good(60)...)
			inject(s, db)
			start(t, s, db)
			eventually(t, "all stored and acknowledged", func() bool { return db.count() == 60 && s.pendingCount() == 0 })
		})
	}
}

func TestTakesUpItsOwnPendingToTheLastPage(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	s.add(good(37)...)
	s.take(37) // Given to an earlier life of this consumer, which died.
	w := start(t, s, db)
	eventually(t, "all pending stored", func() bool { return db.count() == 37 && s.pendingCount() == 0 })
	w.stop()
	require.InDelta(t, 37, testutil.ToFloat64(w.metrics.recovered), 0)
}

func TestSameEventTwiceIsOneRow(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	f := good(1)[0]
	s.add(f)
	w := start(t, s, db)
	eventually(t, "first stored", func() bool { return db.count() == 1 })
	s.add(f)
	eventually(t, "second skipped", func() bool { return strings.Contains(w.log.String(), "Duplicate event skipped") })
	eventually(t, "both acknowledged", func() bool { return s.pendingCount() == 0 })
	require.Equal(t, 1, db.count())
}

func TestBuriesWhatCannotBeStoredAndNothingElse(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	s.bury = faults{script: []failing{before, after}}
	s.add(good(7)...)
	s.add(fields("refuse", "{}"), []string{"not", "an event"}, fields("web", "[1]"))
	s.add(good(9)...)
	s.add(nil) // Deleted while pending.
	w := start(t, s, db)
	eventually(t, "all good ones stored", func() bool { return db.count() == 16 })
	eventually(t, "nothing pending", func() bool { return s.pendingCount() == 0 })
	w.stop()
	reasons := map[string]int{}
	for _, d := range s.buried {
		reasons[d.Reason+d.Code]++
		require.NotEmpty(t, d.Message)
	}
	require.Equal(t, map[string]int{"rejected22P02": 1, "unreadable": 2}, reasons)
	require.InDelta(t, 1, testutil.ToFloat64(w.metrics.deleted), 0)
}

func TestAnOutageMakesNoDeadLetters(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	for range 3 {
		db.insert.script = append(db.insert.script, before, after)
	}
	s.add(good(20)...)
	w := start(t, s, db)
	eventually(t, "all stored", func() bool { return db.count() == 20 && s.pendingCount() == 0 })
	w.stop()
	require.Empty(t, s.buried)
}

func TestTakesOverWhatDeadConsumersLeft(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	s.add(good(25)...)
	s.abandoned = s.take(25)
	s.pending = nil
	w := start(t, s, db, func(c *Config) { c.ClaimAfter = 200 * time.Millisecond })
	eventually(t, "all claimed and stored", func() bool { return db.count() == 25 && s.pendingCount() == 0 })
	eventually(t, "said", func() bool { return strings.Contains(w.log.String(), "left them\" deliveries=25") })
}

func TestTrimsTheStream(t *testing.T) {
	s := newFakeStream()
	start(t, s, newFakeStore(), func(c *Config) { c.TrimInterval = 5 * time.Millisecond })
	eventually(t, "trimmed again and again", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.trims > 3 })
}

func TestReadsNothingMoreWhileTheDatabaseIsAway(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	db.blocked = make(chan struct{})
	s.add(good(100)...)
	start(t, s, db, func(c *Config) { c.Concurrency = 2 })
	eventually(t, "both slots taken", func() bool { return s.pendingCount() == 20 })
	require.Never(t, func() bool { return s.pendingCount() != 20 }, 100*time.Millisecond, 5*time.Millisecond)
	close(db.blocked)
	eventually(t, "all stored afterwards", func() bool { return db.count() == 100 && s.pendingCount() == 0 })
}

func TestProgressNamesTheTroubleAndItsEnd(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	db.insert = faults{script: []failing{before, before, before, before}}
	s.add(good(1)...)
	w := start(t, s, db)
	eventually(t, "trouble", func() bool { return w.Progress() != nil })
	require.ErrorContains(t, w.Progress(), "writing to the database")
	eventually(t, "recovery", func() bool { return w.Progress() == nil })
}

func TestStopFinishesTheBatchInHand(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	db.blocked = make(chan struct{})
	s.add(good(5)...)
	w := start(t, s, db)
	eventually(t, "batch in hand", func() bool { return s.pendingCount() == 5 })
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	eventually(t, "signal seen", func() bool { return strings.Contains(w.log.String(), "worker stopping") })
	close(db.blocked)
	<-stopped
	require.Equal(t, 5, db.count())
	require.Zero(t, s.pendingCount())
}

func TestStopDoesNotWaitForADatabaseThatIsAway(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	db.blocked = make(chan struct{})
	s.add(good(5)...)
	w := start(t, s, db, func(c *Config) { c.ShutdownTimeout = 50 * time.Millisecond })
	eventually(t, "batch in hand", func() bool { return s.pendingCount() == 5 })
	w.stop()
	require.Equal(t, 5, s.pendingCount(), "what was given up stays pending")
}

func TestReadsShrinkWhenEventsAreLarge(t *testing.T) {
	s, db := newFakeStream(), newFakeStore()
	big := make([][]string, 40)
	for i := range big {
		big[i] = fields("web", `{"s":"`+strings.Repeat("x", 1000)+`"}`)
	}
	s.add(big...)
	start(t, s, db, func(c *Config) { c.BatchBytes = 4 << 10 })
	eventually(t, "all stored", func() bool { return db.count() == 40 })
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Less(t, s.maxAsked, 4)
}

func TestValidateNamesTheKey(t *testing.T) {
	c := DefaultConfig()
	require.NoError(t, c.Validate())
	c.BatchSize, c.Concurrency, c.Block = 0, 100, 0
	err := c.Validate()
	for _, key := range []string{"worker.batch_size", "worker.concurrency", "worker.block"} {
		require.ErrorContains(t, err, key)
	}
}
