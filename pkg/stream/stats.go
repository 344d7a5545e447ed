package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// backlogExact is how many unread entries are counted one by one.
	// Counting reads them, so it is few, and ends after backlogBytes.
	backlogExact = 100
	backlogBytes = 64 << 10
)

// Stats is the stream and one group of it at about one moment.
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

// Stats counts what can be counted at a cost that does not grow with the
// stream, for one group of it.
func (i *Inspector) Stats(ctx context.Context, group string) (Stats, error) {
	s, err := i.p.stats(ctx, group)
	if err != nil {
		return Stats{}, i.p.failed(opStats, group, err)
	}
	return s, nil
}

func (p *Partition) stats(ctx context.Context, group string) (s Stats, err error) {
	b := p.conn.redis.B()
	replies, err := p.conn.doAll(ctx,
		b.Xlen().Key(p.key).Build(),
		b.Xlen().Key(p.dlqKey).Build(),
		b.XinfoGroups().Key(p.key).Build())
	if err != nil {
		return s, err
	}
	if s.Length, err = replies[0].AsInt64(); err != nil {
		return s, err
	}
	if s.DeadLetters, err = replies[1].AsInt64(); err != nil {
		return s, err
	}
	groups, err := p.groupInfos(replies[2].ToMessage())
	info, found := groups[group]
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
	if s.LastDelivered, err = textOf(info, "last-delivered-id"); err != nil {
		return s, err
	}
	if err = p.countUnread(ctx, &s, info); err != nil {
		return s, err
	}
	return s, p.oldestPending(ctx, group, &s)
}

// countUnread counts the entries behind the last delivered one, in pages that
// the size of those seen keeps small, until it has counted or read enough.
func (p *Partition) countUnread(ctx context.Context, s *Stats, info infoMap) error {
	from, left, page := s.LastDelivered, backlogBytes, int64(1)
	for s.Backlog < backlogExact && left > 0 {
		reply, err := p.conn.doAlone(ctx, p.conn.cfg.Timeout,
			p.conn.redis.B().Arbitrary("XRANGE").Keys(p.key).Args("("+from, "+", "COUNT", strconv.FormatInt(page, 10)).Blocking())
		if err != nil {
			return err
		}
		entries, err := parseEntries("XRANGE", reply)
		if err != nil {
			return err
		}
		if s.OldestUnread == "" && len(entries) > 0 {
			s.OldestUnread = entries[0].EntryID
		}
		s.Backlog += int64(len(entries))
		if int64(len(entries)) < page {
			s.BacklogExact = true
			return nil
		}
		bytes := sizeOf(entries)
		left -= bytes
		from = entries[len(entries)-1].EntryID
		page = min(backlogExact-s.Backlog, max(int64(left*len(entries)/max(bytes, 1)), 1))
	}
	// What Redis says is unknown after deletions, and has been wrong
	// (https://github.com/redis/redis/issues/13337).
	lag, err := intOf(info, "lag")
	if err != nil {
		lag = s.Length
	}
	s.Backlog = max(s.Backlog, min(lag, s.Length))
	return nil
}

// sizeOf is about how many bytes entries are.
func sizeOf(entries []event.Delivery) (bytes int) {
	for _, e := range entries {
		bytes += len(e.EntryID)
		for _, f := range e.Fields {
			bytes += len(f)
		}
	}
	return bytes
}

func (p *Partition) oldestPending(ctx context.Context, group string, s *Stats) error {
	if s.Pending == 0 {
		return nil
	}
	reply, err := p.conn.do(ctx, p.conn.redis.B().Xpending().Key(p.key).Group(group).Start("-").End("+").Count(1).Build())
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
