package stream

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// What TYPE says.
const (
	typeNone   = "none"
	typeStream = "stream"
)

// inspect looks at the keys and one group; now is the server's time.
func (p *Partition) inspect(ctx context.Context, group string, now time.Time) (StreamInfo, error) {
	f := StreamInfo{Key: p.key, DeadLetterKey: p.dlqKey, GroupName: group}
	b := p.conn.redis.B()
	replies, err := p.conn.doAll(ctx,
		b.Type().Key(p.key).Build(), b.Type().Key(p.dlqKey).Build(), b.Pttl().Key(p.key).Build())
	if err != nil {
		return f, err
	}
	if f.Type, err = textReply(replies[0]); err != nil {
		return f, err
	}
	if f.DeadLetterType, err = textReply(replies[1]); err != nil {
		return f, err
	}
	left, err := replies[2].AsInt64()
	if err != nil {
		return f, err
	}
	f.Expires = time.Duration(max(left, 0)) * time.Millisecond // -1: never; -2: no key
	for _, kind := range []string{f.Type, f.DeadLetterType} {
		if kind != typeStream && kind != typeNone {
			return f, nil // nothing more can be asked
		}
	}
	if f.Stats, err = p.stats(ctx, group); err != nil || f.Type == typeNone {
		return f, err
	}
	f.OldestUnreadAge = age(f.OldestUnread, now)
	f.OldestPendingAge = age(f.OldestPending, now)
	if f.OtherGroups, err = p.otherGroups(ctx, group, now); err != nil || !f.Group {
		return f, err
	}
	f.Members, err = p.members(ctx, group)
	return f, err
}

// age is how long before now an entry was put on the stream.
func age(entryID string, now time.Time) time.Duration {
	at, ok := entryTime(entryID)
	if !ok {
		return 0
	}
	return max(now.Sub(at), 0)
}

// textReply returns a reply that is text. The library returns the text of an
// error beside the error; it is no value.
func textReply(reply rueidis.RedisResult) (string, error) {
	text, err := reply.ToString()
	if err != nil {
		return "", err
	}
	return text, nil
}

func (p *Partition) otherGroups(ctx context.Context, group string, now time.Time) ([]OtherGroup, error) {
	reply, err := p.conn.do(ctx, p.conn.redis.B().XinfoGroups().Key(p.key).Build())
	if err != nil {
		return nil, err
	}
	var groups []OtherGroup
	err = eachInfo("XINFO GROUPS", reply, func(name string, info infoMap) error {
		if name == group {
			return nil
		}
		pending, err := intOf(info, "pending")
		if err != nil {
			return err
		}
		id, err := textOf(info, "last-delivered-id")
		if err != nil {
			return err
		}
		groups = append(groups, OtherGroup{Name: name, Pending: pending, LastDelivered: id, LastAge: age(id, now)})
		return nil
	})
	return groups, err
}

// members returns the consumers of a group (https://redis.io/docs/latest/commands/xinfo-consumers/).
func (p *Partition) members(ctx context.Context, group string) ([]Member, error) {
	reply, err := p.conn.do(ctx, p.conn.redis.B().XinfoConsumers().Key(p.key).Group(group).Build())
	if err != nil {
		return nil, err
	}
	var members []Member
	err = eachInfo("XINFO CONSUMERS", reply, func(name string, info infoMap) error {
		pending, err := intOf(info, "pending")
		if err != nil {
			return err
		}
		idle, err := intOf(info, "idle")
		members = append(members, Member{Name: name, Pending: pending, Idle: time.Duration(idle) * time.Millisecond})
		return err
	})
	return members, err
}
