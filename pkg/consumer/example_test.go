package consumer_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/consumertest"
)

// A handler says what became of the deliveries of a batch. Reading, trying
// again, acknowledging and dead-lettering are the consumer's.
func ExampleConsumer() {
	source := consumertest.NewMemory(0) // a stream.Group elsewhere
	source.Publish([]string{"event_type", "page_view"}, []string{"event_type", "sign_up"})

	ctx, cancel := context.WithCancel(context.Background())
	handler := consumer.HandlerFunc(func(_ context.Context, deliveries []event.Delivery) (event.Outcome, error) {
		for _, d := range deliveries {
			fmt.Println(d.Fields[1])
		}
		cancel() // batches in hand are finished all the same
		return event.Outcome{Done: deliveries}, nil
	})

	cfg := consumer.DefaultConfig()
	cfg.Consumer = "example"
	consumer.New(cfg, []consumer.Source{source}, handler, slog.New(slog.DiscardHandler), nil).Run(ctx)
	fmt.Println("pending:", source.PendingCount())
	// Output:
	// page_view
	// sign_up
	// pending: 0
}
