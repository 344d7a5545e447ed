package stream

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// aclRules returns the rules that docs/operations.md gives a role, without its
// name and password.
func aclRules(t *testing.T, role string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	prefix := "ACL SETUSER eventpulse_" + role + " on >PASSWORD "
	for line := range strings.Lines(string(text)) {
		if rules, found := strings.CutPrefix(line, prefix); found {
			return strings.TrimSpace(rules)
		}
	}
	require.FailNow(t, "docs/operations.md has no line for "+role)
	return ""
}

// asUser returns a client that those rules hold for.
func asUser(t *testing.T, admin *client, addr, name, rules string) *client {
	t.Helper()
	say(t, admin, strings.Fields("ACL SETUSER "+name+" on >pw "+rules)...)
	return newClient(t, "redis://"+name+":pw@"+addr)
}

// requireDenied requires that nothing was denied but what is done without: what
// the library cleans up with after a transaction, and INFO, asked for advice.
func requireDenied(t *testing.T, admin *client, harmless ...string) {
	t.Helper()
	harmless = append(harmless, "unsubscribe", "punsubscribe", "sunsubscribe", "client|setinfo")
	for _, entry := range say(t, admin, "ACL", "LOG").([]any) {
		require.Contains(t, harmless, fmt.Sprint(entry.(map[string]any)["object"]))
	}
}

func TestACL_NoRoleNeedsScripts(t *testing.T) {
	admin, server := withRedis(t, small...)
	ctx := testContext(t)
	serve := asUser(t, admin, server.Addr(), "serve", aclRules(t, "serve"))
	require.NoError(t, serve.producer.Prepare(ctx))
	require.NoError(t, serve.Publish(ctx, sample(0, 100)))
	_, err := serve.Stats(ctx)
	require.NoError(t, err)

	work := asUser(t, admin, server.Addr(), "work", aclRules(t, "work"))
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

	dlq := asUser(t, admin, server.Addr(), "dlq", aclRules(t, "dlq"))
	letters := deadLetters(t, dlq)
	require.Len(t, letters, 10)
	_, _, err = dlq.dead.Range(ctx)
	require.NoError(t, err)
	replayed, err := dlq.dead.Replay(ctx, letters[:5]...)
	require.NoError(t, err)
	require.EqualValues(t, 5, replayed)
	_, err = dlq.dead.Remove(ctx, []string{letters[5].ID})
	require.NoError(t, err)
	requireDenied(t, admin)
}

func TestACL_DoctorSeesEverything(t *testing.T) {
	admin, server := withRedis(t, small...)
	got := given(t, admin, "a", 5)
	require.NoError(t, admin.DeadLetter(testContext(t), rejections(got[0])))
	require.NoError(t, admin.Publish(testContext(t), sample(0, 5)))
	say(t, admin, "XGROUP", "CREATE", admin.p.key, "other", "0")
	say(t, admin, "ACL", "LOG", "RESET")
	f, err := asUser(t, admin, server.Addr(), "doctor", aclRules(t, "doctor")).Inspect(testContext(t))
	require.NoError(t, err)
	require.NoError(t, f.StreamErr)
	require.True(t, f.Server.Available)
	require.True(t, f.Server.SettingsAvailable)
	require.Equal(t, []int64{10, 1, 4, 5}, []int64{f.Stream.Length, f.Stream.DeadLetters, f.Stream.Pending, f.Stream.Backlog})
	require.NotEmpty(t, f.Stream.OldestUnread)
	require.Len(t, f.Stream.Members, 1)
	require.Len(t, f.Stream.OtherGroups, 1)
	requireDenied(t, admin)
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
			err := call(asUser(t, admin, server.Addr(), user, aclRules(t, "work")+" -"+command))
			requireUnavailable(t, err, reasonPermission)
			require.Equal(t, entryIDs(got[1:]), pendingIDs(t, admin, "a"))
			require.Empty(t, deadLetters(t, admin))
		})
	}
}

func TestInspect_DeniedReplyIsNoValue(t *testing.T) {
	admin, server := withRedis(t)
	given(t, admin, "a", 1)
	f, err := asUser(t, admin, server.Addr(), "work", strings.ReplaceAll(aclRules(t, "work"), " +type", "")).Inspect(testContext(t))
	require.NoError(t, err)
	requireUnavailable(t, f.StreamErr, reasonPermission)
	require.Empty(t, f.Stream.Type)
	require.Empty(t, f.Stream.DeadLetterType)
}
