package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
)

// Group is one consumer group of a partition. Several groups work on one
// partition independently: each is given every entry, and has pending lists,
// dead letters and metrics of its own
// (https://redis.io/docs/latest/develop/data-types/streams/#consumer-groups).
type Group struct {
	p       *Partition
	name    string
	start   string
	metrics *groupMetrics

	// ensuring holds one token, for whoever looks after the group.
	ensuring chan struct{}
	seen     atomic.Bool // the group has existed
	noted    atomic.Bool // the group is in the set of those there have been
}

// NewGroup returns the group with that name, which [Group.EnsureGroup] creates
// where it is missing. A new group starts at start: "$" is the entries from
// then on, "0" all that the stream holds, and otherwise an entry id. A registry
// takes each group once.
func NewGroup(p *Partition, name, start string) (*Group, error) {
	if err := errors.Join(checkGroup(name), checkStart(start)); err != nil {
		return nil, err
	}
	reg := prometheus.WrapRegistererWith(prometheus.Labels{labelGroup: name}, p.reg)
	return &Group{p: p, name: name, start: start, metrics: newGroupMetrics(reg), ensuring: make(chan struct{}, 1)}, nil
}

// Name is the name of the group.
func (g *Group) Name() string { return g.name }

// Partition is the part of the stream that the group reads.
func (g *Group) Partition() *Partition { return g.p }

func (g *Group) failed(op string, err error) error { return g.p.failed(op, g.name, err) }

func checkGroup(name string) error {
	if name == "" {
		return errors.New("stream.group is empty")
	}
	return nil
}

func checkStart(start string) error {
	if start != "$" && !entryID.MatchString(start) {
		return fmt.Errorf("stream.group_start is %q: must be $, 0 or an entry id such as 1700000000000-0", start)
	}
	return nil
}

// EnsureGroup makes the consumer group exist, and the stream with it
// (https://redis.io/docs/latest/commands/xgroup-create/). It costs one read
// when the group is there, so it may be called periodically, and works then
// even while Redis rejects writes.
//
// A group that is missing starts where [NewGroup] says, so that "$" keeps
// what was on the stream before from being stored. A group that has existed
// starts at the beginning instead: it was lost, and whatever is on the stream
// now was published for it. That it has existed is known by whoever has seen
// it, and to others by a set beside the stream. Redis may lose the set too, but
// not without the stream, and nothing is published to a stream that is not
// there.
func (g *Group) EnsureGroup(ctx context.Context) error {
	select {
	case g.ensuring <- struct{}{}:
		defer func() { <-g.ensuring }()
	case <-ctx.Done():
		return g.failed(opGroup, ctx.Err())
	}
	if err := g.ensure(ctx); err != nil {
		return g.failed(opGroup, err)
	}
	g.seen.Store(true)
	return nil
}

func (g *Group) ensure(ctx context.Context) error {
	_, found, err := g.p.groupInfo(ctx, g.name)
	if err != nil {
		return err
	}
	if found {
		if !g.noted.Load() {
			g.note(ctx)
		}
		return nil
	}
	lost, err := g.hasExisted(ctx)
	if err != nil {
		return err
	}
	start := g.start
	if lost {
		start = "0"
	}
	g.noted.Store(false)
	conn := g.p.conn
	_, err = conn.do(ctx, conn.redis.B().XgroupCreate().Key(g.p.key).Group(g.name).Id(start).Mkstream().Build())
	switch {
	case rueidis.IsRedisBusyGroup(err):
		return nil // somebody else was faster
	case err != nil:
		return err
	case lost:
		g.metrics.recreated.Inc()
		conn.log.Warn("consumer group was lost and is created again from the beginning of the stream",
			"stream", g.p.key, "group", g.name)
	default:
		conn.log.Info("consumer group created", "stream", g.p.key, "group", g.name, "start", start)
	}
	g.note(ctx)
	return nil
}

// hasExisted reports whether there was such a group before.
func (g *Group) hasExisted(ctx context.Context) (bool, error) {
	if g.seen.Load() {
		return true, nil
	}
	conn := g.p.conn
	reply, err := conn.do(ctx, conn.redis.B().Sismember().Key(g.p.groups).Member(g.name).Build())
	if err != nil {
		return false, err
	}
	known, err := reply.AsBool()
	if err != nil {
		return false, unexpected("SISMEMBER", err)
	}
	return known, nil
}

// note puts the group into the set of those there have been. Where Redis
// rejects writes it is put there by a later call: the group itself works.
func (g *Group) note(ctx context.Context) {
	conn := g.p.conn
	if _, err := conn.do(ctx, conn.redis.B().Sadd().Key(g.p.groups).Member(g.name).Build()); err != nil {
		conn.log.Debug("cannot note that the consumer group exists, trying again later", "group", g.name, "error", err)
		return
	}
	g.noted.Store(true)
}
