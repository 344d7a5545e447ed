package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// scanStart is the cursor that begins a scan, and that says it is complete.
const scanStart = "0-0"

// Claim makes consumer the owner of entries that have been idle with any
// consumer for minIdle or longer, and returns at most limit of them
// (https://redis.io/docs/latest/commands/xautoclaim/). One call looks at a part
// of the pending entries: a scan begins with the cursor "0-0", goes on with the
// one returned, and is complete when that is "0-0" again. A page in between may
// be empty.
//
//	for cursor := "0-0"; ; {
//		page, cursor, err = g.Claim(ctx, consumer, minIdle, cursor, 100)
//		// handle page
//		if err != nil || cursor == "0-0" {
//			break
//		}
//	}
//
// The former owner may be alive and about to acknowledge: what is claimed may
// have been dealt with. After an error some entries may have been claimed all
// the same; they are among consumer's Pending. Entries that were deleted from
// the stream are dropped from the group, counted and logged; those that were
// replayed for another group are acknowledged and left out.
func (g *Group) Claim(ctx context.Context, consumer string, minIdle time.Duration, cursor string, limit int) (page []event.Delivery, next string, err error) {
	if cursor == "" {
		cursor = scanStart
	}
	conn := g.p.conn
	reply, err := conn.doAlone(ctx, conn.cfg.Timeout, conn.redis.B().Arbitrary("XAUTOCLAIM").Keys(g.p.key).
		Args(g.name, consumer, strconv.FormatInt(max(minIdle.Milliseconds(), 0), 10), cursor, "COUNT", strconv.Itoa(max(limit, 1))).
		Blocking())
	if err != nil {
		return nil, cursor, g.failed(opClaim, err)
	}
	page, next, deleted, err := parseClaim(reply)
	if err != nil {
		return nil, cursor, g.failed(opClaim, err)
	}
	if len(deleted) > 0 {
		g.metrics.claimedDeleted.Add(float64(len(deleted)))
		conn.log.Warn("entries were deleted from the stream before they were acknowledged",
			"stream", g.p.key, "group", g.name, "entries", len(deleted), "first", deleted[0])
	}
	page = g.skipOthers(ctx, g.deliver(page))
	g.metrics.claimed.Add(float64(len(page)))
	return page, next, nil
}

// parseClaim takes a reply to XAUTOCLAIM apart: where to go on, the entries
// claimed, and, since Redis 7, the ids of those that were deleted.
func parseClaim(reply rueidis.RedisMessage) (page []event.Delivery, next string, deleted []string, err error) {
	parts, err := reply.ToArray()
	if err != nil || len(parts) < 2 {
		return nil, "", nil, unexpected("XAUTOCLAIM", err)
	}
	if next, err = parts[0].ToString(); err != nil {
		return nil, "", nil, unexpected("XAUTOCLAIM", err)
	}
	if page, err = parseEntries("XAUTOCLAIM", parts[1]); err != nil {
		return nil, "", nil, err
	}
	if len(parts) > 2 {
		if deleted, err = parts[2].AsStrSlice(); err != nil {
			return nil, "", nil, unexpected("XAUTOCLAIM", err)
		}
	}
	return page, next, deleted, nil
}
