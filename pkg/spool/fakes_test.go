package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/durable"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

// What a stream does with a call.
type behaviour int

const (
	accepts behaviour = iota
	fails             // at once, nothing happened
	loses             // accepts the events and then fails
	hangs             // until ctx ends
)

var errStream = event.Unavailable("the stream is away", errors.New("connection refused"))

// stream is a Publisher that remembers what it accepted.
type stream struct {
	mode   atomic.Int32
	calls  atomic.Int64
	inside atomic.Int64
	delay  atomic.Int64

	mu    sync.Mutex
	order []uuid.UUID
	times map[uuid.UUID]int
	last  map[uuid.UUID]event.Event
	most  int // events of the largest call
}

func newStream(mode behaviour) *stream {
	s := &stream{times: map[uuid.UUID]int{}, last: map[uuid.UUID]event.Event{}}
	s.set(mode)
	return s
}

func (s *stream) set(mode behaviour) { s.mode.Store(int32(mode)) }

func (s *stream) PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s.calls.Add(1)
	s.inside.Add(1)
	defer s.inside.Add(-1)
	if d := time.Duration(s.delay.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return event.Unavailable("slow", ctx.Err())
		}
	}
	switch behaviour(s.mode.Load()) {
	case fails:
		return errStream
	case loses:
		s.accept(events)
		return errStream
	case hangs:
		<-ctx.Done()
		return event.Unavailable("no answer", ctx.Err())
	}
	s.accept(events)
	return nil
}

func (s *stream) accept(events []event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = max(s.most, len(events))
	for _, e := range events {
		if s.times[e.ID]++; s.times[e.ID] == 1 {
			s.order = append(s.order, e.ID)
		}
		s.last[e.ID] = e
	}
}

func (s *stream) accepted() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]uuid.UUID(nil), s.order...)
}

// makeEvents returns n events, different each time.
func makeEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		id := uuid.Must(uuid.NewV7())
		events[i] = event.Event{
			ID: id, Type: "order.créé", Source: "shop/🛒",
			Timestamp: time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC),
			Payload:   fmt.Sprintf(`{"id":%q,"note":"%s"}`, id, strings.Repeat("x", 64)), Metadata: `{"\\u0000":"\u2028"}`,
		}
	}
	return events
}

func ids(events []event.Event) []uuid.UUID {
	out := make([]uuid.UUID, len(events))
	for i := range events {
		out[i] = events[i].ID
	}
	return out
}

// quick is a configuration that does not make tests wait.
func quick(dir string) Config {
	c := DefaultConfig()
	c.Dir = dir
	c.MinFreeBytes = 0
	c.Deadline = 30 * time.Millisecond
	c.CommitTimeout = 10 * time.Second
	c.ProbeInterval = 2 * time.Millisecond
	c.DrainTimeout = 50 * time.Millisecond
	return c
}

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// fixture is a spool under test.
type fixture struct {
	*Spool
	stream *stream
	logs   *logs
	reg    *prometheus.Registry
	stop   func()
}

type option func(*journal.Options)

func withFS(fs durable.FS) option     { return func(o *journal.Options) { o.FS = fs } }
func withSegments(bytes int64) option { return func(o *journal.Options) { o.SegmentBytes = bytes } }

func start(tb testing.TB, cfg Config, next *stream, options ...option) *fixture {
	tb.Helper()
	var o journal.Options
	for _, option := range options {
		option(&o)
	}
	f := &fixture{stream: next, logs: &logs{}, reg: prometheus.NewRegistry()}
	s, err := open(cfg, next, f.logs.logger(), f.reg, o)
	require.NoError(tb, err)
	f.Spool = s
	var once sync.Once
	f.stop = func() {
		once.Do(func() {
			require.NoError(tb, s.Close())
			if tb.Failed() {
				tb.Log(f.logs.String())
			}
		})
	}
	tb.Cleanup(f.stop)
	return f
}

// startAway opens a spool whose stream fails, with the breaker open. It returns
// what is spooled by then.
func startAway(tb testing.TB, cfg Config, options ...option) (*fixture, []event.Event) {
	tb.Helper()
	f := start(tb, cfg, newStream(fails), options...)
	var sent []event.Event
	for range failuresToOpen {
		events := makeEvents(1)
		f.mustPublish(tb, events)
		sent = append(sent, events...)
	}
	return f, sent
}

// run drains until the test ends or what it returns is called.
func (f *fixture) run(tb testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	stop = func() { cancel(); <-done }
	tb.Cleanup(stop)
	return stop
}

func (f *fixture) mustPublish(tb testing.TB, events []event.Event) {
	tb.Helper()
	require.NoError(tb, f.Publish(context.Background(), events))
}

// drained waits until nothing is on disk any more.
func (f *fixture) drained(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the spool is drained", func() bool { n, _ := f.Backlog(); return n == 0 })
}

// metric returns the value of a counter or gauge, or how often a histogram has
// samples. labels are name, value, ...
func (f *fixture) metric(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	families, err := f.reg.Gather()
	require.NoError(tb, err)
	for _, family := range families {
		if family.GetName() != "eventpulse_spool_"+name {
			continue
		}
	next:
		for _, m := range family.GetMetric() {
			for i, pair := range m.GetLabel() {
				if pair.GetName() != labels[2*i] || pair.GetValue() != labels[2*i+1] {
					continue next
				}
			}
			switch {
			case m.Counter != nil:
				return m.Counter.GetValue()
			case m.Gauge != nil:
				return m.Gauge.GetValue()
			default:
				return float64(m.Histogram.GetSampleCount())
			}
		}
	}
	tb.Fatalf("no metric %s%v", name, labels)
	return 0
}

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("timed out waiting until %s", what)
		}
	}
}

// requireUnavailable requires err to say that the same thing may work later.
func requireUnavailable(tb testing.TB, err error) *event.Error {
	tb.Helper()
	var e *event.Error
	require.ErrorAs(tb, err, &e)
	require.Equal(tb, event.KindUnavailable, e.Kind)
	require.Positive(tb, e.RetryAfter)
	return e
}
