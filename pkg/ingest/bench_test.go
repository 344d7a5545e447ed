package ingest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// durable is a Publisher that has done it already.
type durable struct{}

func (durable) Publish(context.Context, []event.Event) error { return nil }

func benchEvent(i int) string {
	return fmt.Sprintf(`{"event_id":"0190f5f4-7a1e-7c3a-8b1d-%012x","event_type":"push","source":"github",`+
		`"timestamp":"2024-05-01T12:00:00Z","payload":{"n":%d,"text":"%s"}}`, i, i, strings.Repeat("x", 400))
}

func BenchmarkOne(b *testing.B) {
	for _, ack := range []string{AckStream, AckNone} {
		b.Run(ack, func(b *testing.B) {
			h := newHandler(b, durable{}, func(c *Config) { c.Ack, c.QueueEvents, c.QueueBytes = ack, 1<<30, 1<<40 })
			body := benchEvent(1)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.One(context.Background(), body); err != nil {
					b.Fatal(err)
				}
			}
			require.NoError(b, h.Close(context.Background()))
		})
	}
}

func BenchmarkBatch(b *testing.B) {
	h := newHandler(b, durable{})
	events := make([]string, 1000)
	for i := range events {
		events[i] = benchEvent(i)
	}
	body := "[" + strings.Join(events, ",") + "]"
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Batch(context.Background(), body); err != nil {
			b.Fatal(err)
		}
	}
}
