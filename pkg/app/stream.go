package app

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// openStream returns a connection to Redis, which must be closed, and the
// consumer group on the stream that cfg names. It connects at the first use.
func openStream(cfg config.Config, log *slog.Logger, reg prometheus.Registerer) (_ *stream.Conn, _ *stream.Group, err error) {
	conn, err := stream.Open(cfg.Redis, log)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	partition, err := conn.Partition(0, cfg.Stream.Key, reg)
	if err != nil {
		return nil, nil, err
	}
	group, err := stream.NewGroup(partition, cfg.Stream.Group, cfg.Stream.GroupStart)
	if err != nil {
		return nil, nil, err
	}
	return conn, group, nil
}

// exportStats reports the stream and the group as metrics in the registry of the
// group's partition.
func exportStats(group *stream.Group) {
	stream.NewInspector(group.Partition()).Export(group.Name())
}

// inspector returns what looks at Redis, the stream and the group.
func inspector(group *stream.Group) func(context.Context) (stream.Info, error) {
	i := stream.NewInspector(group.Partition())
	return func(ctx context.Context) (stream.Info, error) { return i.Inspect(ctx, group.Name()) }
}
