package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// readSlack is how much longer than its BLOCK a blocking read may take.
const readSlack = time.Second

// Read waits up to block for entries that the group has not been given, and
// returns at most limit of them for consumer, oldest first; nil when there were
// none. They stay pending under consumer until acknowledged.
//
// It returns at once when ctx ends. What a cancelled or failed Read was given
// all the same is pending too, though nobody has seen it: after every error,
// call EnsureGroup and go through Pending before reading on. An error with the
// code NOGROUP or UNBLOCKED says that the group is gone.
func (c *Client) Read(ctx context.Context, consumer string, limit int, block time.Duration) ([]event.Delivery, error) {
	deliveries, err := c.readGroup(ctx, consumer, limit, block, ">")
	if err != nil {
		return nil, c.unavailable(opRead, err)
	}
	return deliveries, nil
}

// Pending returns, oldest first, at most limit of the entries that consumer was
// given and has not acknowledged, beginning after the entry id after: "0" for
// the first page, then the last id of the page before, until a page is empty.
// An entry that was deleted from the stream comes without fields.
//
// Redis counts it as one more delivery of each, and as a sign that consumer is
// at work on them.
func (c *Client) Pending(ctx context.Context, consumer, after string, limit int) ([]event.Delivery, error) {
	deliveries, err := c.readGroup(ctx, consumer, limit, 0, after)
	if err != nil {
		return nil, c.unavailable(opPending, err)
	}
	// Some servers that only resemble Redis return all there are.
	return deliveries[:min(len(deliveries), max(limit, 1))], nil
}

// readGroup runs XREADGROUP on a connection of its own: a blocking read would
// hold up the others, and so would a large reply.
func (c *Client) readGroup(ctx context.Context, consumer string, limit int, block time.Duration, from string) ([]event.Delivery, error) {
	if limit < 1 {
		limit = 1 // zero would be no limit
	}
	cmd := c.redis.B().Arbitrary("XREADGROUP", "GROUP", c.cfg.Group, consumer, "COUNT", strconv.Itoa(limit))
	budget := c.redisCfg.Timeout
	if ms := block.Milliseconds(); ms > 0 { // zero would be for ever
		cmd = cmd.Args("BLOCK", strconv.FormatInt(ms, 10))
		budget = block + readSlack
	}
	replies, err := c.call(ctx, budget, true, cmd.Args("STREAMS").Keys(c.cfg.Key).Args(from).Blocking())
	if err != nil {
		return nil, err
	}
	reply, err := replies[0].ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, err
	}
	c.groupSeen.Store(true)
	if err != nil {
		return nil, nil
	}
	deliveries, err := streamEntries(reply)
	if len(deliveries) == 0 {
		return nil, err
	}
	return deliveries, err
}
