package stream

import (
	"context"
	"slices"

	"github.com/redis/rueidis"
)

// ackChunk is the most entries that one command names, which bounds how long
// Redis works on it without serving anybody else.
const ackChunk = 1000

// Ack tells the group that entries are dealt with, and returns how many of
// them were still pending (https://redis.io/docs/latest/commands/xack/). Fewer
// than were given is no error: the group may have been lost, or somebody else
// has acknowledged them. After an error some may be acknowledged; doing it
// again is harmless.
func (g *Group) Ack(ctx context.Context, entryIDs []string) (int64, error) {
	if len(entryIDs) == 0 {
		return 0, nil
	}
	acked, err := g.xack(ctx, entryIDs)
	g.metrics.acked.Add(float64(acked))
	if err != nil {
		return acked, g.failed(opAck, err)
	}
	g.metrics.ackedMissing.Add(float64(int64(len(entryIDs)) - acked))
	return acked, nil
}

func (g *Group) xack(ctx context.Context, entryIDs []string) (acked int64, err error) {
	conn := g.p.conn
	var cmds []rueidis.Completed
	for ids := range slices.Chunk(entryIDs, ackChunk) {
		cmds = append(cmds, conn.redis.B().Xack().Key(g.p.key).Group(g.name).Id(ids...).Build())
	}
	replies, err := conn.doAll(ctx, cmds...)
	for _, reply := range replies {
		n, replyErr := reply.AsInt64()
		acked += n
		if err == nil {
			err = replyErr
		}
	}
	return acked, err
}
