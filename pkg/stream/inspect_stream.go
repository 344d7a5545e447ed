package stream

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// What TYPE says.
const (
	typeNone   = "none"
	typeStream = "stream"
)

// inspectStream looks at the keys; now is the server's time.
func (c *Client) inspectStream(ctx context.Context, now time.Time) (StreamInfo, error) {
	f := StreamInfo{Key: c.cfg.Key, DeadLetterKey: c.dlqKey, GroupName: c.cfg.Group}
	b := c.redis.B()
	replies, err := c.call(ctx, c.redisCfg.Timeout, false,
		b.Type().Key(c.cfg.Key).Build(), b.Type().Key(c.dlqKey).Build(), b.Pttl().Key(c.cfg.Key).Build())
	if err != nil {
		return f, err
	}
	if f.Type, err = replies[0].ToString(); err != nil {
		return f, err
	}
	if f.DeadLetterType, err = replies[1].ToString(); err != nil {
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
	if f.Stats, err = c.stats(ctx); err != nil || f.Type == typeNone {
		return f, err
	}
	f.OldestUnreadAge = age(f.OldestUnread, now)
	f.OldestPendingAge = age(f.OldestPending, now)
	if f.OtherGroups, err = c.otherGroups(ctx, now); err != nil || !f.Group {
		return f, err
	}
	f.Members, err = c.members(ctx)
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

func (c *Client) otherGroups(ctx context.Context, now time.Time) ([]OtherGroup, error) {
	reply, err := c.do(ctx, c.redis.B().XinfoGroups().Key(c.cfg.Key).Build())
	if err != nil {
		return nil, err
	}
	var groups []OtherGroup
	err = eachInfo("XINFO GROUPS", reply, func(name string, info map[string]rueidis.RedisMessage) error {
		if name == c.cfg.Group {
			return nil
		}
		pending, err := intOf(info, "pending")
		if err != nil {
			return err
		}
		last := info["last-delivered-id"]
		id, err := last.ToString()
		if err != nil {
			return unexpected("XINFO GROUPS", err)
		}
		groups = append(groups, OtherGroup{Name: name, Pending: pending, LastDelivered: id, LastAge: age(id, now)})
		return nil
	})
	return groups, err
}

func (c *Client) members(ctx context.Context) ([]Member, error) {
	reply, err := c.do(ctx, c.redis.B().XinfoConsumers().Key(c.cfg.Key).Group(c.cfg.Group).Build())
	if err != nil {
		return nil, err
	}
	var members []Member
	err = eachInfo("XINFO CONSUMERS", reply, func(name string, info map[string]rueidis.RedisMessage) error {
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

// eachInfo calls do for each of the things that an XINFO lists by name.
func eachInfo(command string, reply rueidis.RedisMessage, do func(name string, info map[string]rueidis.RedisMessage) error) error {
	list, err := reply.ToArray()
	if err != nil {
		return unexpected(command, err)
	}
	for i := range list {
		info, err := list[i].AsMap()
		if err != nil {
			return unexpected(command, err)
		}
		called := info["name"]
		name, err := called.ToString()
		if err != nil {
			return unexpected(command, err)
		}
		if err := do(name, info); err != nil {
			return err
		}
	}
	return nil
}

// DeadLetterRange returns how many dead letters there are and the highest id
// that any of them ever had, "" where there never was one: those that come
// later have higher ids.
func (c *Client) DeadLetterRange(ctx context.Context) (count int64, last string, err error) {
	reply, err := c.do(ctx, c.redis.B().XinfoStream().Key(c.dlqKey).Build())
	if said, ok := errors.AsType[*rueidis.RedisError](err); ok && classifyReply(said.Error()).code == "ERR" {
		return 0, "", nil // no such key
	}
	if err != nil {
		return 0, "", c.unavailable(opLetters, err)
	}
	info, err := reply.AsMap()
	if err != nil {
		return 0, "", c.unavailable(opLetters, unexpected("XINFO STREAM", err))
	}
	if count, err = intOf(info, "length"); err != nil {
		return 0, "", c.unavailable(opLetters, err)
	}
	lastID := info["last-generated-id"]
	if last, err = lastID.ToString(); err != nil {
		return 0, "", c.unavailable(opLetters, unexpected("XINFO STREAM", err))
	}
	return count, last, nil
}
