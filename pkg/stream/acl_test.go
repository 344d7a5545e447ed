package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The commands that each role needs. The client library also cleans up after a
// transaction with UNSUBSCRIBE and its like, and INFO is asked for advice: both
// do without when they are denied.
const (
	aclKeys  = "resetkeys ~events_stream ~{events_stream}:* resetchannels -@all"
	aclServe = "+hello +ping +client|setname +xadd +xgroup|create +xinfo|groups +sismember +sadd +xlen +xpending +xrange"
	aclWork  = "+hello +ping +client|setname +xgroup|create +xinfo|groups +sismember +sadd +xlen +xpending +xrange " +
		"+xreadgroup +xack +xautoclaim +xtrim +xinfo|consumers +xgroup|delconsumer +xclaim +watch +unwatch +multi +exec +discard +type +xadd +xdel"
	aclDeadLetters = "+hello +ping +client|setname +xgroup|create +xinfo|groups +xinfo|stream +sismember +sadd +xrange +xadd +xdel"
)

// asUser returns a client that may run those commands on the stream's keys.
func asUser(t *testing.T, admin *client, addr, name, commands string) *client {
	t.Helper()
	say(t, admin, strings.Fields("ACL SETUSER "+name+" on >pw "+aclKeys+" "+commands)...)
	return newClient(t, "redis://"+name+":pw@"+addr)
}

func TestACL_NoRoleNeedsScripts(t *testing.T) {
	admin, server := withRedis(t, small...)
	ctx := testContext(t)
	serve := asUser(t, admin, server.Addr(), "serve", aclServe)
	require.NoError(t, serve.producer.Prepare(ctx))
	require.NoError(t, serve.Publish(ctx, sample(0, 100)))
	_, err := serve.Stats(ctx)
	require.NoError(t, err)

	work := asUser(t, admin, server.Addr(), "work", aclWork)
	require.NoError(t, work.EnsureGroup(ctx))
	got, err := work.Read(ctx, "gone", 100, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 100)
	claimed, _ := claimAll(t, work, "alive", 0, 1000)
	require.Len(t, claimed, 100)
	require.NoError(t, work.DeadLetter(ctx, rejections(got[:10]...)))
	_, err = work.Ack(ctx, entryIDs(got[10:]))
	require.NoError(t, err)
	n, err := work.Trim(ctx)
	require.NoError(t, err)
	require.Positive(t, n)
	require.Eventually(t, func() bool {
		removed, err := work.RemoveIdleConsumers(ctx, time.Millisecond, "alive")
		require.NoError(t, err)
		return removed == 1
	}, 10*time.Second, time.Millisecond)
	_, err = work.Stats(ctx)
	require.NoError(t, err)

	dlq := asUser(t, admin, server.Addr(), "dlq", aclDeadLetters)
	letters := deadLetters(t, dlq)
	require.Len(t, letters, 10)
	_, _, err = dlq.dead.Range(ctx)
	require.NoError(t, err)
	replayed, err := dlq.dead.Replay(ctx, letters[:5]...)
	require.NoError(t, err)
	require.EqualValues(t, 5, replayed)
	_, err = dlq.dead.Remove(ctx, []string{letters[5].ID})
	require.NoError(t, err)
	for _, entry := range say(t, admin, "ACL", "LOG").([]any) {
		denied := fmt.Sprint(entry.(map[string]any)["object"])
		require.Contains(t, []string{"info", "unsubscribe", "punsubscribe", "sunsubscribe"}, denied)
	}
}

// A permission that is missing is its own cause, and never read as a value.
func TestACL_DeniedCommandIsAnError(t *testing.T) {
	admin, server := withRedis(t)
	ctx := testContext(t)
	got := given(t, admin, "a", 3)
	_, err := admin.Ack(ctx, entryIDs(got[:1]))
	require.NoError(t, err)
	for command, call := range map[string]func(*client) error{
		"xtrim":           func(c *client) error { _, err := c.Trim(ctx); return err },
		"exec":            func(c *client) error { return c.DeadLetter(ctx, rejections(got[1])) },
		"type":            func(c *client) error { return c.DeadLetter(ctx, rejections(got[1])) },
		"xpending":        func(c *client) error { return c.DeadLetter(ctx, rejections(got[1])) },
		"xack":            func(c *client) error { return c.DeadLetter(ctx, rejections(got[1])) },
		"xadd":            func(c *client) error { return c.DeadLetter(ctx, rejections(got[1])) },
		"xreadgroup":      func(c *client) error { _, err := c.Read(ctx, "a", 1, 0); return err },
		"xautoclaim":      func(c *client) error { _, _, err := c.Claim(ctx, "a", 0, "", 1); return err },
		"xinfo|groups":    func(c *client) error { _, err := c.Stats(ctx); return err },
		"xlen":            func(c *client) error { _, err := c.Stats(ctx); return err },
		"xinfo|consumers": func(c *client) error { _, err := c.RemoveIdleConsumers(ctx, 0, ""); return err },
	} {
		t.Run(command, func(t *testing.T) {
			user := "no_" + strings.ReplaceAll(command, "|", "_")
			err := call(asUser(t, admin, server.Addr(), user, aclWork+" -"+command))
			requireUnavailable(t, err, reasonPermission)
			require.Equal(t, entryIDs(got[1:]), pendingIDs(t, admin, "a"))
			require.Empty(t, deadLetters(t, admin))
		})
	}
}

func TestInspect_DeniedReplyIsNoValue(t *testing.T) {
	admin, server := withRedis(t)
	given(t, admin, "a", 1)
	f, err := asUser(t, admin, server.Addr(), "work", strings.ReplaceAll(aclWork, " +type", "")).Inspect(testContext(t))
	require.NoError(t, err)
	requireUnavailable(t, f.StreamErr, reasonPermission)
	require.Empty(t, f.Stream.Type)
	require.Empty(t, f.Stream.DeadLetterType)
}
