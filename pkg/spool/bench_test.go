package spool

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// toggled is a stream that costs nothing, and takes events or does not.
type toggled struct{ away atomic.Bool }

func (s *toggled) PublishWithin(context.Context, time.Duration, []event.Event) error {
	if s.away.Load() {
		return errStream
	}
	return nil
}

func benchSpool(b *testing.B, next Publisher) *Spool {
	b.Helper()
	cfg := DefaultConfig()
	cfg.Dir = b.TempDir()
	cfg.MaxBytes = 16 << 30
	s, err := Open(cfg, next, slog.New(slog.DiscardHandler), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// BenchmarkStream is what the spool costs while the stream takes events.
func BenchmarkStream(b *testing.B) {
	s := benchSpool(b, &toggled{})
	events := makeEvents(1)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Publish(b.Context(), events)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_ = s.Publish(b.Context(), events)
			}
		})
	})
}

// BenchmarkDisk is the rate at which events are spooled, one a request.
func BenchmarkDisk(b *testing.B) {
	for name, clients := range map[string]int{"1": 1, "64": 32} { // a processor
		b.Run(name, func(b *testing.B) {
			next := &toggled{}
			next.away.Store(true)
			s := benchSpool(b, next)
			events := makeEvents(1)
			for range failuresToOpen {
				require.NoError(b, s.Publish(context.Background(), events))
			}
			b.ReportAllocs()
			b.ResetTimer()
			work := func(next func() bool) {
				for next() {
					if err := s.Publish(context.Background(), events); err != nil {
						b.Error(err)
						return
					}
				}
			}
			if clients == 1 {
				work(b.Loop)
			} else {
				b.SetParallelism(clients)
				b.RunParallel(func(pb *testing.PB) { work(pb.Next) })
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkDrain is the rate at which a backlog is drained to a stream that
// takes a batch in a few milliseconds, while requests come in.
func BenchmarkDrain(b *testing.B) {
	for name, alone := range map[string]bool{"alone": true, "beside 500 a second": false} {
		b.Run(name, func(b *testing.B) {
			next := &paced{}
			next.away.Store(true)
			s := benchSpool(b, next)
			const n = 50_000
			for b.Loop() {
				b.StopTimer()
				next.away.Store(true)
				events := makeEvents(1000)
				for range n / len(events) {
					require.NoError(b, s.Publish(context.Background(), events))
				}
				ctx, cancel := context.WithCancel(context.Background())
				if !alone {
					go func() {
						tick := time.NewTicker(2 * time.Millisecond)
						defer tick.Stop()
						for {
							select {
							case <-ctx.Done():
								return
							case <-tick.C:
								_ = s.Publish(ctx, events[:1])
							}
						}
					}()
				}
				next.away.Store(false)
				b.StartTimer()
				done := make(chan struct{})
				go func() { defer close(done); s.Run(ctx) }()
				for left := int64(1); left > 0; left, _ = s.Backlog() {
					time.Sleep(time.Millisecond)
				}
				b.StopTimer()
				cancel()
				<-done
				b.StartTimer()
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// paced takes 3 ms for a pipeline.
type paced struct{ toggled }

func (s *paced) PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error {
	if s.away.Load() {
		return errStream
	}
	time.Sleep(3 * time.Millisecond)
	return s.toggled.PublishWithin(ctx, timeout, events)
}
