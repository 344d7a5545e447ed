package stream

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// inGoroutines runs f b.N times, shared among n goroutines.
func inGoroutines(b *testing.B, n int, f func() error) {
	b.Helper()
	var wg sync.WaitGroup
	left := make(chan struct{}, b.N)
	for range b.N {
		left <- struct{}{}
	}
	close(left)
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for range left {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func perSecond(b *testing.B, events int) {
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkPublishOne(b *testing.B) {
	for _, n := range []struct {
		name       string
		goroutines int
	}{{"1", 1}, {"64", 64}, {"512", 512}} {
		b.Run(n.name, func(b *testing.B) {
			c, _ := withRedis(b)
			events := sample(0, 1)
			b.ReportAllocs()
			inGoroutines(b, n.goroutines, func() error { return c.Publish(context.Background(), events) })
			perSecond(b, 1)
		})
	}
}

func BenchmarkPublishBatch100(b *testing.B) {
	c, _ := withRedis(b)
	events := sample(0, 100)
	b.ReportAllocs()
	inGoroutines(b, 8, func() error { return c.Publish(context.Background(), events) })
	perSecond(b, 100)
}

// BenchmarkRaw is the client library with nothing of ours around it.
func BenchmarkRaw(b *testing.B) {
	for _, n := range []struct {
		name       string
		goroutines int
	}{{"1", 1}, {"64", 64}, {"512", 512}} {
		b.Run(n.name, func(b *testing.B) {
			c, server := withRedis(b)
			raw, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true, ForceSingleClient: true})
			if err != nil {
				b.Fatal(err)
			}
			defer raw.Close()
			e := sample(0, 1)[0]
			b.ReportAllocs()
			inGoroutines(b, n.goroutines, func() error {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				return raw.Do(ctx, rawXadd(raw, c.p.key, &e)).Error()
			})
			perSecond(b, 1)
		})
	}
}

func rawXadd(r rueidis.Client, key string, e *event.Event) rueidis.Completed {
	fields := e.AppendFields(nil)
	cmd := r.B().Xadd().Key(key).Id("*").FieldValue()
	for i := 0; i < len(fields); i += 2 {
		cmd = cmd.FieldValue(fields[i], fields[i+1])
	}
	return cmd.Build()
}
