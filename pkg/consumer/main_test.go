package consumer_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/consumertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a consumer at work in a bubble of synctest, where time passes only
// while everybody waits.
type running struct {
	*consumer.Consumer
	stop func()
	log  *logBuffer
	reg  *prometheus.Registry
}

func start(t *testing.T, handler consumer.Handler, sources []consumer.Source, change ...func(*consumer.Config)) *running {
	t.Helper()
	cfg := consumer.DefaultConfig()
	cfg.Consumer, cfg.BatchSize = "me", 10
	for _, f := range change {
		f(&cfg)
	}
	require.NoError(t, cfg.Validate())
	r := &running{log: &logBuffer{}, reg: prometheus.NewRegistry()}
	r.Consumer = consumer.New(cfg, sources, handler, slog.New(slog.NewTextHandler(r.log, nil)), r.reg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

// after lets d pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// sources is for the usual case of one partition.
func sources(m ...consumer.Source) []consumer.Source { return m }

// entries returns the fields of n entries, numbered from first.
func entries(first, n int) [][]string {
	out := make([][]string, n)
	for i := range out {
		out[i] = []string{"n", fmt.Sprint(first + i)}
	}
	return out
}

// poison is the fields of an entry that [sink] rejects.
func poison() []string { return []string{"poison", ""} }

// sink is a handler that keeps what it handled and rejects poison.
type sink struct {
	mu      sync.Mutex
	handled map[string]int
	batches []int
	calls   int
	// before, where it is set, is called before anything is done; its error
	// ends the call.
	before func(ctx context.Context, deliveries []event.Delivery) error
}

// Handle implements consumer.Handler.
func (s *sink) Handle(ctx context.Context, deliveries []event.Delivery) (out event.Outcome, err error) {
	if s.before != nil {
		if err := s.before(ctx, deliveries); err != nil {
			return out, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handled == nil {
		s.handled = map[string]int{}
	}
	s.calls++
	s.batches = append(s.batches, len(deliveries))
	for _, d := range deliveries {
		if slices.Equal(d.Fields, poison()) {
			out.Rejected = append(out.Rejected, event.Rejection{Delivery: d, Reason: event.ReasonRejected, Message: "poison"})
			continue
		}
		s.handled[fmt.Sprintf("%d/%s", d.Partition, d.EntryID)]++
		out.Done = append(out.Done, d)
	}
	return out, nil
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.handled)
}

func (s *sink) callCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func unavailable() error { return event.Unavailable("write", consumertest.ErrInjected) }

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), text)
}
