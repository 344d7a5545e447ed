package stream

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/rueidis"
)

// infoMap is what an XINFO says of one thing, by name.
type infoMap = map[string]rueidis.RedisMessage

// groupInfo returns what Redis says about one group, and whether there is such
// a group (https://redis.io/docs/latest/commands/xinfo-groups/).
func (p *Partition) groupInfo(ctx context.Context, group string) (infoMap, bool, error) {
	groups, err := p.groupInfos(p.conn.do(ctx, p.conn.redis.B().XinfoGroups().Key(p.key).Build()))
	if err != nil {
		return nil, false, err
	}
	info, found := groups[group]
	return info, found, nil
}

// groupInfos takes a reply to XINFO GROUPS apart, by the groups' names. Without
// a stream there is none.
func (p *Partition) groupInfos(reply rueidis.RedisMessage, err error) (map[string]infoMap, error) {
	if noSuchKey(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	groups := make(map[string]infoMap)
	err = eachInfo("XINFO GROUPS", reply, func(name string, info infoMap) error {
		groups[name] = info
		return nil
	})
	return groups, err
}

// noSuchKey reports whether Redis says that the key does not exist.
func noSuchKey(err error) bool {
	said, ok := errors.AsType[*rueidis.RedisError](err)
	return ok && strings.Contains(said.Error(), "no such key")
}

// eachInfo calls do for each of the things that an XINFO lists by name.
func eachInfo(command string, reply rueidis.RedisMessage, do func(name string, info infoMap) error) error {
	list, err := reply.ToArray()
	if err != nil {
		return unexpected(command, err)
	}
	for i := range list {
		info, err := list[i].AsMap()
		if err != nil {
			return unexpected(command, err)
		}
		name, err := textOf(info, "name")
		if err != nil {
			return err
		}
		if err := do(name, info); err != nil {
			return err
		}
	}
	return nil
}

// intOf returns the number under that name.
func intOf(info infoMap, name string) (int64, error) {
	value := info[name]
	n, err := value.AsInt64()
	if err != nil {
		return 0, unexpected(name, err)
	}
	return n, nil
}

// textOf returns the text under that name.
func textOf(info infoMap, name string) (string, error) {
	value := info[name]
	text, err := value.ToString()
	if err != nil {
		return "", unexpected(name, err)
	}
	return text, nil
}
