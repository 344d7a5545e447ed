package stream

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// EnsureGroup makes the consumer group exist, and the stream with it. It costs
// one read when the group is there, so it may be called periodically, and
// works then even while Redis refuses writes.
//
// A group that is missing starts at Config.GroupStart, so that "$" keeps what
// was on the stream before from being stored. A group that has existed starts
// at the beginning instead: it was lost, and whatever is on the stream now was
// published for it. That it has existed is known by whoever has seen it, and to
// others by a set beside the stream. Redis may lose the set too, but not
// without the stream, and nothing is published to a stream that is not there.
func (c *Client) EnsureGroup(ctx context.Context) error {
	select {
	case c.ensuring <- struct{}{}:
		defer func() { <-c.ensuring }()
	case <-ctx.Done():
		return c.unavailable(opGroup, ctx.Err())
	}
	if err := c.ensureGroup(ctx); err != nil {
		return c.unavailable(opGroup, err)
	}
	c.groupSeen.Store(true)
	c.advise.Do(func() { c.logAdvice(ctx) })
	return nil
}

func (c *Client) ensureGroup(ctx context.Context) error {
	_, found, err := c.groupInfo(ctx)
	if err != nil {
		return err
	}
	if found {
		if !c.noted.Load() {
			c.note(ctx)
		}
		return nil
	}
	start, lost := c.cfg.GroupStart, c.groupSeen.Load()
	if !lost {
		reply, err := c.do(ctx, c.redis.B().Sismember().Key(c.groups).Member(c.cfg.Group).Build())
		if err != nil {
			return err
		}
		if lost, err = reply.AsBool(); err != nil {
			return unexpected("SISMEMBER", err)
		}
	}
	if lost {
		start = "0"
	}
	c.noted.Store(false)
	_, err = c.do(ctx, c.redis.B().XgroupCreate().Key(c.cfg.Key).Group(c.cfg.Group).Id(start).Mkstream().Build())
	switch {
	case rueidis.IsRedisBusyGroup(err):
		return nil // somebody else was faster
	case err != nil:
		return err
	case lost:
		c.metrics.groupsRecreated.Inc()
		c.log.Warn("consumer group was lost and is created again from the beginning of the stream",
			"stream", c.cfg.Key, "group", c.cfg.Group)
	default:
		c.log.Info("consumer group created", "stream", c.cfg.Key, "group", c.cfg.Group, "start", start)
	}
	c.note(ctx)
	return nil
}

// note puts the group into the set of those there have been. Where Redis
// refuses writes it is put there by a later call: the group itself works.
func (c *Client) note(ctx context.Context) {
	if _, err := c.do(ctx, c.redis.B().Sadd().Key(c.groups).Member(c.cfg.Group).Build()); err != nil {
		c.log.Debug("cannot note that the consumer group exists, trying again later", "group", c.cfg.Group, "error", err)
		return
	}
	c.noted.Store(true)
}

// groupInfo returns what Redis says about the group, and whether there is one.
func (c *Client) groupInfo(ctx context.Context) (map[string]rueidis.RedisMessage, bool, error) {
	reply, err := c.do(ctx, c.redis.B().XinfoGroups().Key(c.cfg.Key).Build())
	return c.parseGroupInfo(reply, err)
}

func (c *Client) parseGroupInfo(reply rueidis.RedisMessage, err error) (map[string]rueidis.RedisMessage, bool, error) {
	if err != nil {
		var said *rueidis.RedisError
		if errors.As(err, &said) && classifyReply(said.Error()).code == "ERR" {
			return nil, false, nil // no such key; creating the group tells if it is something else
		}
		return nil, false, err
	}
	groups, err := reply.ToArray()
	if err != nil {
		return nil, false, unexpected("XINFO GROUPS", err)
	}
	for i := range groups {
		info, err := groups[i].AsMap()
		if err != nil {
			return nil, false, unexpected("XINFO GROUPS", err)
		}
		name := info["name"]
		if text, err := name.ToString(); err == nil && text == c.cfg.Group {
			return info, true, nil
		}
	}
	return nil, false, nil
}
