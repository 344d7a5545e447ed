package ingest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// durable is a Publisher that has done it already.
type durable struct{}

func (durable) Publish(context.Context, []event.Event) error { return nil }

func BenchmarkAccept(b *testing.B) {
	for _, ack := range []string{AckStream, AckNone} {
		b.Run(ack, func(b *testing.B) {
			s := newService(b, durable{}, func(c *Config) { c.Ack, c.QueueEvents, c.QueueBytes = ack, 1<<30, 1<<40 })
			events := sample(b, 1)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Accept(context.Background(), events); err != nil {
					b.Fatal(err)
				}
			}
			require.NoError(b, s.Close(context.Background()))
		})
	}
}
