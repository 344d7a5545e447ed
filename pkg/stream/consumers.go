package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// rescueMost is the most deliveries looked at of a consumer that is removed.
const rescueMost = 10_000

// RemoveIdleConsumers removes the consumers of the group, except one, that
// have not been heard of for longer than idle and hold nothing, and returns
// how many. A consumer removed that turns out to be alive is made again by its
// next read.
//
// Removing a consumer throws away what it has pending
// (https://redis.io/docs/latest/commands/xgroup-delconsumer/), and one that was
// away for so long may read again between the look and the removal. So one
// transaction lists what it has pending and removes it, and what is listed is
// made pending again, under the same name. Only where this process ends between
// those two steps is such a delivery lost to the group, though not to the
// stream.
func (g *Group) RemoveIdleConsumers(ctx context.Context, idle time.Duration, except string) (int, error) {
	members, err := g.p.members(ctx, g.name)
	if noSuchKey(err) {
		return 0, nil
	}
	if err != nil {
		return 0, g.failed(opReap, err)
	}
	removed := 0
	for _, m := range members {
		if m.Name == except || m.Pending != 0 || m.Idle <= idle {
			continue
		}
		gone, err := g.removeConsumer(ctx, m.Name)
		if err != nil {
			return removed, g.failed(opReap, err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// removeConsumer removes one consumer, or keeps it with what it has pending.
func (g *Group) removeConsumer(ctx context.Context, name string) (gone bool, _ error) {
	conn := g.p.conn
	var held []rueidis.RedisMessage
	err := conn.transact(ctx, func(ctx context.Context, tx rueidis.DedicatedClient) (err error) {
		held, err = execute(ctx, tx,
			tx.B().Xpending().Key(g.p.key).Group(g.name).Start("-").End("+").Count(rescueMost).Consumer(name).Build(),
			tx.B().XgroupDelconsumer().Key(g.p.key).Group(g.name).Consumername(name).Build())
		return err
	})
	if err != nil {
		return false, err
	}
	pending, err := parsePending(held[0])
	if err != nil || len(pending) == 0 {
		return err == nil, err
	}
	// FORCE makes an entry pending that is pending with nobody.
	ids := make([]string, len(pending))
	for i, e := range pending {
		ids[i] = e.id
	}
	cmd := conn.redis.B().Arbitrary("XCLAIM").Keys(g.p.key).Args(g.name, name, strconv.Itoa(0)).Args(ids...).Args("FORCE", "JUSTID").Build()
	_, err = conn.do(context.WithoutCancel(ctx), cmd)
	return false, err
}
