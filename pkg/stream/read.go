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
// none. They stay pending under consumer until acknowledged
// (https://redis.io/docs/latest/commands/xreadgroup/).
//
// It returns at once when ctx ends. What a cancelled or failed Read was given
// all the same is pending too, though nobody has seen it: after every error,
// call EnsureGroup and go through Pending before reading on. An error with the
// code NOGROUP or UNBLOCKED says that the group is gone.
//
// Entries that were replayed for another group are acknowledged and left out.
func (g *Group) Read(ctx context.Context, consumer string, limit int, block time.Duration) ([]event.Delivery, error) {
	deliveries, err := g.xreadgroup(ctx, consumer, limit, block, ">")
	if err != nil {
		return nil, g.failed(opRead, err)
	}
	return g.skipOthers(ctx, deliveries), nil
}

// Pending returns, oldest first, at most limit of the entries that consumer was
// given and has not acknowledged, beginning after the entry id after: "0" for
// the first page, then the last id of the page before, until a page is empty.
// An entry that was deleted from the stream comes without fields. Entries that
// were replayed for another group are acknowledged and left out.
//
// Redis counts it as one more delivery of each, and as a sign that consumer is
// at work on them.
func (g *Group) Pending(ctx context.Context, consumer, after string, limit int) ([]event.Delivery, error) {
	for {
		page, err := g.xreadgroup(ctx, consumer, limit, 0, after)
		if err != nil {
			return nil, g.failed(opPending, err)
		}
		// Some servers that only resemble Redis return all there are.
		page = page[:min(len(page), max(limit, 1))]
		if len(page) == 0 {
			return nil, nil
		}
		after = page[len(page)-1].EntryID
		// An empty page would be taken for the end.
		if own := g.skipOthers(ctx, page); len(own) > 0 {
			return own, nil
		}
	}
}

// xreadgroup runs XREADGROUP on a connection of its own: a blocking read would
// hold up the others, and so would a large reply.
func (g *Group) xreadgroup(ctx context.Context, consumer string, limit int, block time.Duration, from string) ([]event.Delivery, error) {
	conn := g.p.conn
	limit = max(limit, 1) // zero would be no limit
	cmd := conn.redis.B().Arbitrary("XREADGROUP", "GROUP", g.name, consumer, "COUNT", strconv.Itoa(limit))
	budget := conn.cfg.Timeout
	if ms := block.Milliseconds(); ms > 0 { // zero would be for ever
		cmd = cmd.Args("BLOCK", strconv.FormatInt(ms, 10))
		budget = block + readSlack
	}
	reply, err := conn.doAlone(ctx, budget, cmd.Args("STREAMS").Keys(g.p.key).Args(from).Blocking())
	if err != nil && !rueidis.IsRedisNil(err) {
		return nil, err
	}
	g.seen.Store(true)
	if err != nil {
		return nil, nil
	}
	deliveries, err := streamEntries("XREADGROUP", reply)
	return g.deliver(deliveries), err
}

// deliver notes in each delivery whose it is.
func (g *Group) deliver(deliveries []event.Delivery) []event.Delivery {
	for i := range deliveries {
		deliveries[i].Group, deliveries[i].Partition = g.name, g.p.number
	}
	if len(deliveries) == 0 {
		return nil
	}
	return deliveries
}
