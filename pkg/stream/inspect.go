package stream

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// Info is what can be seen of a Redis server and of the stream on it, without
// a judgement. What the server does not tell, as many that are run for others
// do not, is at its zero value.
type Info struct {
	// Address is where the server is, without a password: host:port or the
	// path of a socket.
	Address string
	// Latency is how long the server took to say what time it is.
	Latency time.Duration
	// ClockAhead is how far its clock is ahead of this machine's, ClockWithin
	// how far off that may be.
	ClockAhead, ClockWithin time.Duration

	Server ServerInfo
	Stream StreamInfo
	// StreamErr says why Stream is not known, or not all of it.
	StreamErr error
}

// ServerInfo is what INFO and CONFIG GET say.
type ServerInfo struct {
	// Available says whether INFO is permitted; without it all but the
	// settings is zero. SettingsAvailable says the same of CONFIG GET.
	Available, SettingsAvailable bool

	// Version is that of the Redis whose commands the server speaks, Mode
	// standalone, cluster or sentinel.
	Version, Mode string
	Loading       bool

	// Replica says that the server follows another, named by Primary.
	Replica bool
	Primary string
	// Replicas is how many follow this server; GoodReplicas how many of them
	// are close enough to count for min-replicas-to-write, -1 when it is off
	// or nobody tells.
	Replicas, GoodReplicas int64

	UsedMemory, MaxMemory, MachineMemory int64
	MaxMemoryPolicy                      string

	// AppendOnly says whether writes are kept in an append-only file.
	AppendOnly bool
	// The outcomes of writing to disk: "ok", or "err".
	LastAppend, LastRewrite, LastSnapshot string

	// Settings holds those of CONFIG GET that matter, by name.
	Settings map[string]string
}

// StreamInfo is what the keys of the stream and of its dead letters hold.
type StreamInfo struct {
	// Key and DeadLetterKey are their names; the types are Redis's words:
	// "stream", and "none" where there is no key.
	Key, Type                     string
	DeadLetterKey, DeadLetterType string
	// Expires is when Redis will throw the stream away, 0 for never.
	Expires time.Duration

	Stats
	// OldestUnreadAge and OldestPendingAge are how long ago, by the server's
	// clock, those entries were put on the stream.
	OldestUnreadAge, OldestPendingAge time.Duration

	// GroupName is that of our group, Members are its consumers.
	GroupName string
	Members   []Member
	// OtherGroups read the same stream, and hold back its trimming.
	OtherGroups []OtherGroup
}

// Member is a consumer of our group.
type Member struct {
	Name    string
	Pending int64
	// Idle is since when nothing was heard of it.
	Idle time.Duration
}

// OtherGroup is a consumer group that is not ours.
type OtherGroup struct {
	Name    string
	Pending int64
	// LastDelivered is the id of the newest entry it was given, LastAge how
	// long ago that was put on the stream.
	LastDelivered string
	LastAge       time.Duration
}

// settingsOfInterest are asked for by name.
var settingsOfInterest = []string{
	"appendfsync", "no-appendfsync-on-rewrite", "stop-writes-on-bgsave-error", "save", "min-replicas-to-write",
}

// Inspector tells how a Redis server, a partition on it and its groups are.
type Inspector struct{ p *Partition }

// NewInspector returns an inspector of p.
func NewInspector(p *Partition) *Inspector { return &Inspector{p: p} }

// Export reports the stream, and the groups named, as metrics of the partition's
// registry. They are asked for at each scrape. It is called once a registry.
func (i *Inspector) Export(groups ...string) { newCollector(i.p.reg, i, groups) }

// Inspect looks at the server, the stream and one group of it. It changes
// nothing, and costs a few reads whatever the stream's length. The error says
// that the server cannot be asked anything; Info.Address is set even then.
func (i *Inspector) Inspect(ctx context.Context, group string) (Info, error) {
	conn := i.p.conn
	f := Info{Address: conn.address()}
	now, err := conn.inspectClock(ctx, &f)
	if err != nil {
		return f, i.p.failed(opInspect, "", err)
	}
	if f.Server, err = conn.inspectServer(ctx); err != nil {
		return f, i.p.failed(opInspect, "", err)
	}
	if f.Stream, err = i.p.inspect(ctx, group, now); err != nil {
		f.StreamErr = i.p.failed(opInspect, group, err)
	}
	return f, nil
}

// inspectClock asks for the time twice: the first answer also pays for the
// connection. It returns the server's time, or this machine's where the server
// does not tell. Unlike PING, TIME is answered while writes are rejected.
func (c *Conn) inspectClock(ctx context.Context, f *Info) (time.Time, error) {
	var now time.Time
	for range 2 {
		asked := time.Now()
		reply, err := c.do(ctx, c.redis.B().Time().Build())
		if denied(err) {
			return time.Now(), nil
		}
		if err != nil {
			return now, err
		}
		f.Latency = time.Since(asked)
		parts, err := reply.AsStrSlice()
		if err != nil || len(parts) != 2 {
			return now, unexpected("TIME", err)
		}
		if now, err = unixTime(parts[0], parts[1]); err != nil {
			return now, unexpected("TIME", err)
		}
		f.ClockWithin = f.Latency/2 + time.Microsecond
		f.ClockAhead = now.Sub(asked.Add(f.Latency / 2))
	}
	return now, nil
}

// denied reports whether err is the server's word that this user may not
// have this command.
func denied(err error) bool {
	said, ok := errors.AsType[*rueidis.RedisError](err)
	if !ok {
		return false
	}
	switch classifyReply(said.Error()).code {
	case "NOPERM", "ERR": // servers that never heard of a command say ERR
		return true
	default:
		return false
	}
}
