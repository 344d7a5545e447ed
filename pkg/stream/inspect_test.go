package stream

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInspect_EmptyServer(t *testing.T) {
	c, server := withRedis(t)
	f, err := c.Inspect(testContext(t))
	require.NoError(t, err)
	require.NoError(t, f.StreamErr)
	require.Equal(t, server.Addr(), f.Address)
	require.Positive(t, f.Latency)
	require.InDelta(t, 0, f.ClockAhead, float64(f.ClockWithin+time.Millisecond))

	require.True(t, f.Server.Available && f.Server.SettingsAvailable)
	require.Regexp(t, `^\d+\.\d+\.\d+$`, f.Server.Version)
	require.Equal(t, "standalone", f.Server.Mode)
	require.False(t, f.Server.Replica || f.Server.Loading || f.Server.AppendOnly)
	require.Equal(t, "noeviction", f.Server.MaxMemoryPolicy)
	require.Positive(t, f.Server.UsedMemory)
	require.Positive(t, f.Server.MachineMemory)
	require.EqualValues(t, -1, f.Server.GoodReplicas)
	require.Equal(t, "ok", f.Server.LastAppend)
	require.Equal(t, map[string]string{
		"appendfsync": "everysec", "no-appendfsync-on-rewrite": "no", "stop-writes-on-bgsave-error": "yes",
		"save": "", "min-replicas-to-write": "0",
	}, f.Server.Settings)

	require.Equal(t, "none", f.Stream.Type)
	require.Equal(t, "none", f.Stream.DeadLetterType)
	require.False(t, f.Stream.Group)
}

func TestInspect_SettingsAndMemory(t *testing.T) {
	c, _ := withRedis(t, "--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb",
		"--maxmemory-policy", "volatile-ttl", "--min-replicas-to-write", "1")
	f, err := c.Inspect(testContext(t))
	require.NoError(t, err)
	require.True(t, f.Server.AppendOnly)
	require.Equal(t, "always", f.Server.Settings["appendfsync"])
	require.EqualValues(t, 100<<20, f.Server.MaxMemory)
	require.Equal(t, "volatile-ttl", f.Server.MaxMemoryPolicy)
	require.EqualValues(t, 0, f.Server.GoodReplicas)
}

func TestInspect_Stream(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "alive", 3)
	require.NoError(t, c.DeadLetter(ctx, rejections(got[:1]...)))
	say(t, c, fmt.Sprintf("XGROUP CREATECONSUMER %s %s idle", c.p.key, c.name))
	say(t, c, fmt.Sprintf("XGROUP CREATE %s audit 0", c.p.key))
	require.NoError(t, c.Publish(ctx, sample(0, 4)))
	say(t, c, fmt.Sprintf("PEXPIRE %s 60000", c.p.key))

	f, err := c.Inspect(ctx)
	require.NoError(t, err)
	require.NoError(t, f.StreamErr)
	s := f.Stream
	require.Equal(t, "stream", s.Type)
	require.Equal(t, "stream", s.DeadLetterType)
	require.InDelta(t, time.Minute, s.Expires, float64(30*time.Second))
	require.True(t, s.Group)
	require.EqualValues(t, 4, s.Backlog)
	require.EqualValues(t, 2, s.Pending)
	require.EqualValues(t, 1, s.DeadLetters)
	require.Less(t, s.OldestPendingAge, time.Minute)
	require.Less(t, s.OldestUnreadAge, time.Minute)
	require.Len(t, s.Members, 2)
	require.Equal(t, "alive", s.Members[0].Name)
	require.EqualValues(t, 2, s.Members[0].Pending)
	require.Zero(t, s.Members[1].Pending)
	require.Less(t, s.Members[1].Idle, time.Minute)
	require.Len(t, s.OtherGroups, 1)
	require.Equal(t, "audit", s.OtherGroups[0].Name)
	require.Equal(t, "0-0", s.OtherGroups[0].LastDelivered)
}

func TestInspect_AgeOfOldEntries(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	for _, at := range []time.Time{time.Now().Add(-2 * time.Hour), time.Now().Add(-time.Hour)} {
		say(t, c, fmt.Sprintf("XADD %s %d-0 k v", c.p.key, at.UnixMilli()))
	}
	say(t, c, fmt.Sprintf("XREADGROUP GROUP %s w COUNT 1 STREAMS %s >", c.name, c.p.key))
	f, err := c.Inspect(ctx)
	require.NoError(t, err)
	require.InDelta(t, 2*time.Hour, f.Stream.OldestPendingAge, float64(time.Minute))
	require.InDelta(t, time.Hour, f.Stream.OldestUnreadAge, float64(time.Minute))
}

func TestInspect_KeysOfAnotherType(t *testing.T) {
	c, _ := withRedis(t)
	say(t, c, "SET", c.p.dlqKey, "x")
	f, err := c.Inspect(testContext(t))
	require.NoError(t, err)
	require.NoError(t, f.StreamErr)
	require.Equal(t, "string", f.Stream.DeadLetterType)
}

func TestInspect_UserWithFewPermissions(t *testing.T) {
	c, server := withRedis(t)
	say(t, c, "ACL SETUSER little on >pw ~* +@all -config -info -time")
	say(t, c, "ACL SETUSER blind on >pw ~other +@all -config")
	ctx := testContext(t)

	f, err := newClient(t, "redis://little:pw@"+server.Addr()).Inspect(ctx)
	require.NoError(t, err)
	require.NoError(t, f.StreamErr)
	require.False(t, f.Server.Available || f.Server.SettingsAvailable)
	require.Zero(t, f.ClockWithin)

	f, err = newClient(t, "redis://blind:pw@"+server.Addr()).Inspect(ctx)
	require.NoError(t, err)
	require.True(t, f.Server.Available)
	require.False(t, f.Server.SettingsAvailable)
	requireUnavailable(t, f.StreamErr, reasonPermission)

	_, err = newClient(t, "redis://little:wrong@"+server.Addr()).Inspect(ctx)
	requireUnavailable(t, err, "auth")
}

func TestInspect_Replica(t *testing.T) {
	_, primary := withRedis(t)
	_, port, err := net.SplitHostPort(primary.Addr())
	require.NoError(t, err)
	c, _ := withRedis(t, "--replicaof", "127.0.0.1", port)
	f, err := c.Inspect(testContext(t))
	require.NoError(t, err)
	require.True(t, f.Server.Replica)
	require.Equal(t, primary.Addr(), f.Server.Primary)
}

func TestInspect_ServerThatRejectsWrites(t *testing.T) {
	c, _ := withRedis(t, "--maxmemory", "1")
	f, err := c.Inspect(testContext(t))
	require.NoError(t, err)
	require.NoError(t, f.StreamErr)
	require.EqualValues(t, 1, f.Server.MaxMemory)
}

func TestInspect_ClusterNode(t *testing.T) {
	c, _ := withRedis(t, "--cluster-enabled", "yes")
	f, err := c.Inspect(testContext(t))
	require.NoError(t, err)
	require.Equal(t, "cluster", f.Server.Mode)
	requireUnavailable(t, f.StreamErr, "cluster") // it serves no slots
}

func TestInspect_UnreachableServer(t *testing.T) {
	c := newClient(t, "redis://u:hunter2@127.0.0.1:1")
	f, err := c.Inspect(testContext(t))
	requireUnavailable(t, err, reasonConnection)
	require.NotContains(t, err.Error(), "hunter2")
	require.Equal(t, "127.0.0.1:1", f.Address)
}

func TestDeadLetterStore_Range(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	n, last, err := c.dead.Range(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Empty(t, last)

	require.NoError(t, c.DeadLetter(ctx, rejections(given(t, c, "a", 3)...)))
	letters := deadLetters(t, c)
	n, last, err = c.dead.Range(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	require.Equal(t, letters[2].ID, last)

	_, err = c.dead.Remove(ctx, []string{last})
	require.NoError(t, err)
	n, again, err := c.dead.Range(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Equal(t, last, again)

	say(t, c, "DEL", c.p.dlqKey)
	say(t, c, "SET", c.p.dlqKey, "x")
	_, _, err = c.dead.Range(ctx)
	requireUnavailable(t, err, "wrong_type")
}

func TestInspect_EndsWhileRedisHangs(t *testing.T) {
	c, server := withRedis(t)
	require.NoError(t, c.Ping(testContext(t)))
	require.NoError(t, server.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := c.Inspect(ctx)
	requireUnavailable(t, err, reasonTimeout)
}
