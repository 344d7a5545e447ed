package stream

import (
	"context"

	"github.com/redis/rueidis"
)

// trimRounds bounds one call of Trim: each round is one step for Redis, and
// removes about ten thousand entries where there are as many.
const trimRounds = 1000

// Trim removes the entries that every group of the stream is done with and
// returns how many it removed (https://redis.io/docs/latest/commands/xtrim/).
// Redis frees whole nodes of the stream only, so some stay. A stream without a
// group is left alone, and so is what a group nobody reads any more would still
// get: such a group has to be destroyed by hand. Where an entry stays pending for
// long, what is done behind it is removed too.
//
// Looking and trimming are two steps, and need no script to be one. What a
// group is done with at the first stays done with: its oldest pending entry and
// its last delivered one only move on. A group made in between finds the stream
// as if it had been made after the trimming.
func (g *Group) Trim(ctx context.Context) (int64, error) {
	oldest, err := g.p.oldestNeeded(ctx)
	if err != nil {
		return 0, g.failed(opTrim, err)
	}
	if oldest == "" {
		return 0, nil
	}
	var total int64
	for range trimRounds {
		reply, err := g.p.conn.do(ctx, g.p.conn.redis.B().Xtrim().Key(g.p.key).Minid().Almost().Threshold(oldest).Build())
		if err != nil {
			return total, g.failed(opTrim, err)
		}
		n, err := reply.AsInt64()
		if err != nil {
			return total, g.failed(opTrim, unexpected("XTRIM", err))
		}
		total += n
		g.metrics.trimmed.Add(float64(n))
		if n == 0 {
			break
		}
	}
	n, err := g.p.trimBehind(ctx, oldest)
	g.metrics.trimmed.Add(float64(n))
	if err != nil {
		return total + n, g.failed(opTrim, err)
	}
	return total + n, nil
}

// oldestNeeded returns the id up to which every group is done: the first that a
// group has pending, or else the last it was given. It is "" without a group.
func (p *Partition) oldestNeeded(ctx context.Context) (oldest string, err error) {
	groups, err := p.groupInfos(p.conn.do(ctx, p.conn.redis.B().XinfoGroups().Key(p.key).Build()))
	if err != nil || len(groups) == 0 {
		return "", err
	}
	var cmds []rueidis.Completed
	var delivered []string
	for name, info := range groups {
		last, err := textOf(info, "last-delivered-id")
		if err != nil {
			return "", err
		}
		pending, err := intOf(info, "pending")
		if err != nil {
			return "", err
		}
		if pending == 0 {
			oldest = earlier(oldest, last)
			continue
		}
		cmds = append(cmds, p.conn.redis.B().Xpending().Key(p.key).Group(name).Build())
		delivered = append(delivered, last)
	}
	if len(cmds) == 0 {
		return oldest, nil
	}
	replies, err := p.conn.doAll(ctx, cmds...)
	if err != nil {
		return "", err
	}
	for i, reply := range replies {
		first, err := firstPending(reply)
		if err != nil {
			return "", err
		}
		if first == "" { // acknowledged meanwhile
			first = delivered[i]
		}
		oldest = earlier(oldest, first)
	}
	return oldest, nil
}

// firstPending returns the first id of a summary by XPENDING, "" when nothing
// is pending (https://redis.io/docs/latest/commands/xpending/).
func firstPending(reply rueidis.RedisResult) (string, error) {
	parts, err := reply.ToArray()
	if err != nil {
		return "", err
	}
	if len(parts) < 2 {
		return "", unexpected("XPENDING", nil)
	}
	if parts[1].IsNil() {
		return "", nil
	}
	return parts[1].ToString()
}

// earlier returns the earlier of two entry ids; "" is none.
func earlier(a, b string) string {
	if a == "" || CompareIDs(b, a) < 0 {
		return b
	}
	return a
}
