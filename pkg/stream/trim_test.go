package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// small makes Redis keep few entries in a node, so that little is left over.
var small = []string{"--stream-node-max-entries", "10"}

func TestTrim_RemovesWhatIsDone(t *testing.T) {
	c := newClient(t, servers.Redis(t).URL())
	ctx := testContext(t)
	const total = 60_000 // more than one step of Redis removes
	require.NoError(t, c.EnsureGroup(ctx))
	for range total / 5000 {
		require.NoError(t, c.Publish(ctx, sample(0, 5000)))
	}
	for range (total - 1000) / 1000 {
		done, err := c.Read(ctx, "a", 1000, time.Second)
		require.NoError(t, err)
		_, err = c.Ack(ctx, entryIDs(done))
		require.NoError(t, err)
	}
	rest, err := c.Read(ctx, "a", 500, time.Second)
	require.NoError(t, err)

	n, err := c.Trim(ctx)
	require.NoError(t, err)
	require.Greater(t, n, int64(total-1000-200))
	require.LessOrEqual(t, n, int64(total-1000))
	require.InDelta(t, n, testutil.ToFloat64(c.metrics.trimmed), 0)
	n, err = c.Trim(ctx)
	require.NoError(t, err)
	require.Zero(t, n)

	pending, err := c.Pending(ctx, "a", "0", 1000)
	require.NoError(t, err)
	require.Equal(t, rest, pending)
	unread, err := c.Read(ctx, "a", 1000, time.Second)
	require.NoError(t, err)
	require.Len(t, unread, 500)
}

func TestTrim_KeepsWhatAnotherGroupNeeds(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	ctx := testContext(t)
	trim := func() int64 {
		n, err := c.Trim(ctx)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, trim(), "no stream")
	require.NoError(t, c.Publish(ctx, sample(0, 100)))
	say(t, c, "XGROUP", "DESTROY", c.p.key, c.name)
	require.Zero(t, trim(), "no group")
	say(t, c, "XGROUP", "CREATE", c.p.key, "other", "0")
	require.NoError(t, c.EnsureGroup(ctx)) // From the beginning: it was lost.
	require.NoError(t, c.Publish(ctx, sample(100, 100)))
	got, err := c.Read(ctx, "a", 200, time.Second)
	require.NoError(t, err)
	_, err = c.Ack(ctx, entryIDs(got))
	require.NoError(t, err)
	require.Zero(t, trim(), "a group that has read nothing yet")

	say(t, c, "XREADGROUP", "GROUP", "other", "x", "COUNT", "50", "STREAMS", c.p.key, ">")
	require.Zero(t, trim(), "a group that has its first entry pending")
	say(t, c, "XGROUP", "SETID", c.p.key, "other", "$")
	require.Zero(t, trim())
	say(t, c, "XGROUP", "DELCONSUMER", c.p.key, "other", "x")
	require.GreaterOrEqual(t, trim(), int64(180))

	// With every entry done, the last may stay.
	s, err := c.Stats(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, s.Length, int64(20))
}

func TestTrim_WithADeletedEntryPending(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	ctx := testContext(t)
	got := given(t, c, "a", 100)
	_, err := c.Ack(ctx, entryIDs(got[:50]))
	require.NoError(t, err)
	say(t, c, "XDEL", c.p.key, got[50].EntryID)
	n, err := c.Trim(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(50), n)
}

func TestTrim_WhileRedisIsOutOfMemory(t *testing.T) {
	c := newClient(t, servers.Redis(t, small...).URL())
	ctx := testContext(t)
	got := given(t, c, "a", 100)
	say(t, c, "CONFIG", "SET", "maxmemory", "1")
	_, err := c.Ack(ctx, entryIDs(got))
	require.NoError(t, err)
	n, err := c.Trim(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, int64(90))
}

func TestTrim_OfWrongType(t *testing.T) {
	c, _ := withRedis(t)
	say(t, c, "SET", c.p.key, "x")
	_, err := c.Trim(testContext(t))
	requireUnavailable(t, err, "wrong_type")
}

// The ids are wider than a script's numbers, and not in the order of text.
func TestTrim_ComparesIDsAsNumbers(t *testing.T) {
	c := newClient(t, servers.Redis(t, "--stream-node-max-entries", "1").URL())
	ctx := testContext(t)
	order := []string{"9-1", "10-1", "10-2", "10-10", "9007199254740993-1", "9007199254740994-9007199254740993", "9007199254740994-9007199254740994"}
	say(t, c, "XGROUP", "CREATE", c.p.key, "one", "0", "MKSTREAM")
	say(t, c, "XGROUP", "CREATE", c.p.key, "two", "0")
	for _, id := range order {
		say(t, c, "XADD", c.p.key, id, "k", "v")
	}
	last := len(order) - 1
	say(t, c, "XGROUP", "SETID", c.p.key, "one", order[last])
	for i, id := range order {
		say(t, c, "XGROUP", "SETID", c.p.key, "two", id)
		n, err := c.Trim(ctx)
		require.NoError(t, err)
		require.EqualValues(t, min(i, 1), n, id)
	}
}

// Whatever two groups do, trimming takes away nothing that one still needs.
func TestTrim_NeverTakesWhatIsNeeded(t *testing.T) {
	server := servers.Redis(t, small...)
	groups := []string{"one", "two"}
	clients := make([]*client, len(groups))
	for i, g := range groups {
		clients[i] = newClient(t, server.URL(), func(_ *RedisConfig, cfg *Config) { cfg.Group, cfg.GroupStart = g, "0" })
		require.NoError(t, clients[i].EnsureGroup(testContext(t)))
	}
	ctx := testContext(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var published []string
	done := []map[string]bool{{}, {}}
	held := make([]map[string]string, len(groups)) // entry id to event id
	for i := range held {
		held[i] = map[string]string{}
	}
	var trimmed int64
	for range 300 {
		g := rng.IntN(len(groups))
		switch rng.IntN(5) {
		case 0:
			events := sample(0, 1+rng.IntN(40))
			require.NoError(t, clients[0].Publish(ctx, events))
			published = append(published, ids(events)...)
		case 1, 2:
			got, err := clients[g].Read(ctx, fmt.Sprint("c", rng.IntN(3)), 1+rng.IntN(60), 0)
			require.NoError(t, err)
			for i, id := range deliveredIDs(got) {
				held[g][got[i].EntryID] = id
			}
		case 3:
			for entry, id := range held[g] {
				if rng.IntN(4) > 0 {
					_, err := clients[g].Ack(ctx, []string{entry})
					require.NoError(t, err)
					done[g][id] = true
					delete(held[g], entry)
				}
			}
		case 4:
			n, err := clients[g].Trim(ctx)
			require.NoError(t, err)
			trimmed += n
			there := map[string]bool{}
			for _, id := range onStream(t, clients[0]) {
				there[id] = true
			}
			for _, id := range published {
				if !done[0][id] || !done[1][id] {
					require.True(t, there[id], "still needed and gone")
				}
			}
		}
	}
	t.Logf("%d published, %d trimmed", len(published), trimmed)
}
