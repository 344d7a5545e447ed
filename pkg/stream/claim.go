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

// Claim makes consumer the owner of entries that have rested with any consumer
// for minIdle or longer, and returns at most limit of them. One call looks at
// a part of the pending entries: a scan begins with the cursor "0-0", goes on
// with the one returned, and is complete when that is "0-0" again. A page in
// between may be empty.
//
//	for cursor := "0-0"; ; {
//		page, cursor, err = c.Claim(ctx, consumer, minIdle, cursor, 100)
//		// handle page
//		if err != nil || cursor == "0-0" {
//			break
//		}
//	}
//
// The former owner may be alive and about to acknowledge: what is claimed may
// have been dealt with. After an error some entries may have been claimed all
// the same; they are among consumer's Pending. Entries that were deleted from
// the stream are dropped from the group, counted and logged.
func (c *Client) Claim(ctx context.Context, consumer string, minIdle time.Duration, cursor string, limit int) (page []event.Delivery, next string, err error) {
	if cursor == "" {
		cursor = scanStart
	}
	cmd := c.redis.B().Arbitrary("XAUTOCLAIM").Keys(c.cfg.Key).
		Args(c.cfg.Group, consumer, strconv.FormatInt(max(minIdle.Milliseconds(), 0), 10), cursor, "COUNT", strconv.Itoa(max(limit, 1))).
		Blocking()
	replies, err := c.call(ctx, c.redisCfg.Timeout, true, cmd)
	if err != nil {
		return nil, cursor, c.unavailable(opClaim, err)
	}
	page, next, deleted, err := parseClaim(replies[0])
	if err != nil {
		return nil, cursor, c.unavailable(opClaim, err)
	}
	if len(deleted) > 0 {
		c.metrics.claimedDeleted.Add(float64(len(deleted)))
		c.log.Warn("entries were deleted from the stream before they were acknowledged",
			"stream", c.cfg.Key, "entries", len(deleted), "first", deleted[0])
	}
	c.metrics.claimed.Add(float64(len(page)))
	return page, next, nil
}

// parseClaim takes a reply to XAUTOCLAIM apart: where to go on, the entries
// claimed, and, since Redis 7, the ids of those that were deleted.
func parseClaim(result rueidis.RedisResult) (page []event.Delivery, next string, deleted []string, err error) {
	parts, err := result.ToArray()
	if err != nil {
		return nil, "", nil, err
	}
	if len(parts) < 2 {
		return nil, "", nil, unexpected("XAUTOCLAIM", nil)
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

// reapScript removes consumers that hold nothing. Looking and removing is one
// step, because removing a consumer throws away what it has pending.
const reapScript = `
local function get(info, name)
  for i = 1, #info, 2 do
    if info[i] == name then return info[i+1] end
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local removed = 0
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local name, idle = get(info, 'name'), get(info, 'idle')
  if name ~= ARGV[3] and get(info, 'pending') == 0 and idle and idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    removed = removed + 1
  end
end
return removed`

// RemoveIdleConsumers removes the consumers of the group, except one, that
// have not been heard of for longer than idle and hold nothing, and returns
// how many. A consumer removed that turns out to be alive is made again by its
// next read.
func (c *Client) RemoveIdleConsumers(ctx context.Context, idle time.Duration, except string) (int, error) {
	reply, err := c.do(ctx, c.redis.B().Eval().Script(reapScript).Numkeys(1).Key(c.cfg.Key).
		Arg(c.cfg.Group, strconv.FormatInt(idle.Milliseconds(), 10), except).Build())
	if err != nil {
		return 0, c.unavailable(opReap, err)
	}
	n, err := reply.AsInt64()
	if err != nil {
		return 0, c.unavailable(opReap, unexpected("EVAL", err))
	}
	return int(n), nil
}
