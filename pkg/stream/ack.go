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
// them were still pending. Fewer than were given is no error: the group may
// have been lost, or somebody else has acknowledged them. After an error some
// may be acknowledged; doing it again is harmless.
func (c *Client) Ack(ctx context.Context, entryIDs []string) (int64, error) {
	if len(entryIDs) == 0 {
		return 0, nil
	}
	var cmds []rueidis.Completed
	for ids := range slices.Chunk(entryIDs, ackChunk) {
		cmds = append(cmds, c.redis.B().Xack().Key(c.cfg.Key).Group(c.cfg.Group).Id(ids...).Build())
	}
	acked, err := c.sum(ctx, cmds)
	c.metrics.acked.Add(float64(acked))
	if err != nil {
		return acked, c.unavailable(opAck, err)
	}
	c.metrics.ackedMissing.Add(float64(int64(len(entryIDs)) - acked))
	return acked, nil
}
