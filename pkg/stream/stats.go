package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// backlogExact is how many unread entries are counted one by one. Counting
// makes Redis copy them, so it is few.
const backlogExact = 100

// Stats is the stream and its group at about one moment.
type Stats struct {
	// Length is how many entries are on the stream: unread, pending, and
	// done with but not trimmed yet.
	Length int64
	// DeadLetters is how many entries are among the dead letters.
	DeadLetters int64

	// Group says whether the group exists. Without it the rest is zero.
	Group bool
	// Consumers is how many consumers the group knows, alive or not.
	Consumers int64
	// LastDelivered is the id of the newest entry given to any consumer.
	LastDelivered string
	// Backlog is how many entries were given to no consumer yet. It is
	// counted when BacklogExact, and otherwise what Redis estimates, or
	// Length when Redis does not know.
	Backlog      int64
	BacklogExact bool
	// OldestUnread is the id of the first of these, empty when there is none.
	OldestUnread string
	// Pending is how many entries were given to a consumer and not
	// acknowledged.
	Pending int64
	// OldestPending is the id of the first of these, empty when there is
	// none; OldestPendingIdle is since when nobody has been given it, and
	// OldestPendingDeliveries how often somebody was.
	OldestPending           string
	OldestPendingIdle       time.Duration
	OldestPendingDeliveries int64
}

// unreadScript counts the entries behind an id up to a limit, in small pages
// because each is copied whole, and returns the first of them too.
const unreadScript = `
local from, count, first = '(' .. ARGV[1], 0, ''
local limit = tonumber(ARGV[2])
while count < limit do
  local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 10)
  if #page == 0 then break end
  if first == '' then first = page[1][1] end
  count = count + #page
  from = '(' .. page[#page][1]
end
return {count, first}`

// Stats counts what can be counted at a cost that does not grow with the
// stream.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	s, err := c.stats(ctx)
	if err != nil {
		return Stats{}, c.unavailable(opStats, err)
	}
	return s, nil
}

func (c *Client) stats(ctx context.Context) (s Stats, err error) {
	b := c.redis.B()
	replies, err := c.call(ctx, c.redisCfg.Timeout, false,
		b.Xlen().Key(c.cfg.Key).Build(),
		b.Xlen().Key(c.dlqKey).Build(),
		b.XinfoGroups().Key(c.cfg.Key).Build())
	if err != nil {
		return s, err
	}
	if s.Length, err = replies[0].AsInt64(); err != nil {
		return s, err
	}
	if s.DeadLetters, err = replies[1].AsInt64(); err != nil {
		return s, err
	}
	info, found, err := c.parseGroupInfo(replies[2].ToMessage())
	if err != nil || !found {
		return s, err
	}
	s.Group = true
	if s.Consumers, err = intOf(info, "consumers"); err != nil {
		return s, err
	}
	if s.Pending, err = intOf(info, "pending"); err != nil {
		return s, err
	}
	last := info["last-delivered-id"]
	if s.LastDelivered, err = last.ToString(); err != nil {
		return s, unexpected("XINFO GROUPS", err)
	}
	if err = c.countUnread(ctx, &s, info); err != nil {
		return s, err
	}
	return s, c.oldestPending(ctx, &s)
}

func (c *Client) countUnread(ctx context.Context, s *Stats, info map[string]rueidis.RedisMessage) error {
	reply, err := c.do(ctx, c.redis.B().Eval().Script(unreadScript).Numkeys(1).Key(c.cfg.Key).
		Arg(s.LastDelivered, strconv.Itoa(backlogExact)).Build())
	if err != nil {
		return err
	}
	parts, err := reply.ToArray()
	if err != nil || len(parts) != 2 {
		return unexpected("EVAL", err)
	}
	if s.Backlog, err = parts[0].AsInt64(); err != nil {
		return unexpected("EVAL", err)
	}
	if s.OldestUnread, err = parts[1].ToString(); err != nil {
		return unexpected("EVAL", err)
	}
	if s.BacklogExact = s.Backlog < backlogExact; s.BacklogExact {
		return nil
	}
	// What Redis says is unknown after deletions, and has been wrong.
	lag, err := intOf(info, "lag")
	if err != nil {
		lag = s.Length
	}
	s.Backlog = max(s.Backlog, min(lag, s.Length))
	return nil
}

func (c *Client) oldestPending(ctx context.Context, s *Stats) error {
	if s.Pending == 0 {
		return nil
	}
	reply, err := c.do(ctx, c.redis.B().Xpending().Key(c.cfg.Key).Group(c.cfg.Group).Start("-").End("+").Count(1).Build())
	if err != nil {
		return err
	}
	entries, err := parsePending(reply)
	if err != nil || len(entries) == 0 {
		return err
	}
	s.OldestPending = entries[0].id
	s.OldestPendingIdle = entries[0].idle
	s.OldestPendingDeliveries = entries[0].deliveries
	return nil
}

// pendingEntry is one line of an extended XPENDING.
type pendingEntry struct {
	id, consumer string
	idle         time.Duration
	deliveries   int64
}

func parsePending(reply rueidis.RedisMessage) ([]pendingEntry, error) {
	lines, err := reply.ToArray()
	if err != nil {
		return nil, unexpected("XPENDING", err)
	}
	entries := make([]pendingEntry, 0, len(lines))
	for i := range lines {
		parts, err := lines[i].ToArray()
		if err != nil || len(parts) != 4 {
			return nil, unexpected("XPENDING", err)
		}
		var e pendingEntry
		var errs [4]error
		var idle int64
		e.id, errs[0] = parts[0].ToString()
		e.consumer, errs[1] = parts[1].ToString()
		idle, errs[2] = parts[2].AsInt64()
		e.deliveries, errs[3] = parts[3].AsInt64()
		for _, err := range errs {
			if err != nil {
				return nil, unexpected("XPENDING", err)
			}
		}
		e.idle = time.Duration(idle) * time.Millisecond
		entries = append(entries, e)
	}
	return entries, nil
}

func intOf(info map[string]rueidis.RedisMessage, name string) (int64, error) {
	value := info[name]
	n, err := value.AsInt64()
	if err != nil {
		return 0, unexpected(name, err)
	}
	return n, nil
}
