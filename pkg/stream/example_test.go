package stream_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// An event is published, read by a consumer of the group, and acknowledged.
func Example() {
	server, err := miniredis.Run()
	if err != nil {
		panic(err)
	}
	defer server.Close()

	redis, cfg := stream.DefaultRedisConfig(), stream.DefaultConfig()
	redis.URL = "redis://" + server.Addr()
	conn, err := stream.Open(redis, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	partition, err := conn.Partition(0, cfg.Key, nil)
	if err != nil {
		panic(err)
	}
	group, err := stream.NewGroup(partition, cfg.Group, cfg.GroupStart)
	if err != nil {
		panic(err)
	}
	producer, err := stream.NewProducer(partition, cfg, group)
	if err != nil {
		panic(err)
	}
	defer producer.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// A long-lived producer runs producer.Run(ctx) beside itself instead.
	if err := producer.Prepare(ctx); err != nil {
		panic(err)
	}
	placed := event.Event{
		ID:   uuid.MustParse("019b7a3c-0000-7000-8000-000000000001"),
		Type: "order.placed", Source: "shop", Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Payload: `{"total":12}`, Metadata: "{}",
	}
	if err := producer.Publish(ctx, []event.Event{placed}); err != nil {
		panic(err)
	}

	deliveries, err := group.Read(ctx, "consumer-1", 100, time.Second)
	if err != nil {
		panic(err)
	}
	for _, d := range deliveries {
		e, err := event.FromFields(d.Fields)
		fmt.Println(d.Group, d.Partition, e.Type, e.Payload, err)
		acked, err := group.Ack(ctx, []string{d.EntryID})
		fmt.Println("acknowledged", acked, err)
	}
	// Output:
	// event_persister 0 order.placed {"total":12} <nil>
	// acknowledged 1 <nil>
}
