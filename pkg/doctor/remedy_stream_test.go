package doctor

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

const (
	streamKey  = "events_stream"
	groupName  = "event_persister"
	deadLetter = "{events_stream}:dlq"
)

// idOfAge is the id of an entry that was put on a stream so long ago.
func idOfAge(age time.Duration) string {
	return fmt.Sprintf("%d-0", time.Now().Add(-age).UnixMilli())
}

// streamDeployment is a Redis with a stream and its group, and what runs
// redis-cli on it.
func streamDeployment(t *testing.T) (deployment, func(args ...string)) {
	t.Helper()
	server := servers.Redis(t)
	return newDeployment(server.URL(), noDatabaseFile(t)), func(args ...string) { redisCLI(t, server.Addr(), args...) }
}

func TestRemedy_KeyOfAnotherType(t *testing.T) {
	d, cli := streamDeployment(t)
	cli("SET", streamKey, "x")
	remedied(t, d, "stream.key", Problem, "OTHER", "other")
	cli("GET", "other")

	cli("HSET", deadLetter, "a", "b")
	remedied(t, d, "stream.dead_letters", Problem, "OTHER", "others")
}

func TestRemedy_StreamThatExpires(t *testing.T) {
	d, cli := streamDeployment(t)
	cli("XGROUP", "CREATE", streamKey, groupName, "0", "MKSTREAM")
	cli("EXPIRE", streamKey, "3600")
	remedied(t, d, "stream.expiry", Problem)
}

func TestRemedy_GroupThatDoesNotExist(t *testing.T) {
	d, cli := streamDeployment(t)
	cli("XADD", streamKey, "*", "a", "b")
	remedied(t, d, "stream.group", Warning)
	require.Contains(t, findingOf(d.examine(t.Context()).Findings, "stream.backlog").Message, "1 event to be read")
}

func TestRemedy_GroupThatIsAbandoned(t *testing.T) {
	d, cli := streamDeployment(t)
	cli("XADD", streamKey, idOfAge(3*time.Hour), "a", "b")
	cli("XGROUP", "CREATE", streamKey, "old audit", "$")
	cli("XADD", streamKey, "*", "a", "b")
	cli("XGROUP", "CREATE", streamKey, groupName, "$")
	remedied(t, d, "stream.other_groups", Warning)
}

// Whoever may not look at a stream may still be allowed to use it: that is
// unknown, and never a reason to touch the key.
func TestRemedy_UserWithLeastPrivileges(t *testing.T) {
	server := servers.Redis(t)
	redisCLI(t, server.Addr(), "XGROUP", "CREATE", streamKey, groupName, "0", "MKSTREAM")
	redisCLI(t, server.Addr(), "ACL", "SETUSER", "ep", "on", ">pw", "~"+streamKey, "~{"+streamKey+"}:*", "-@all",
		"+hello", "+auth", "+client", "+select", "+ping", "+quit", "+xadd", "+xreadgroup", "+xack", "+xautoclaim", "+xgroup", "+xtrim", "+xpending", "+xinfo", "+sismember", "+sadd", "+multi", "+exec", "+eval", "+evalsha")
	d := newDeployment("redis://ep:pw@"+server.Addr(), noDatabaseFile(t))
	findings := d.examine(t.Context()).Findings
	for _, f := range findings {
		require.NotContains(t, f.Remedy, "RENAME", "%+v", f)
		require.NotContains(t, f.Message, "holds a NOPERM", "%+v", f)
	}
	found := findingOf(findings, "stream.readable")
	require.NotNil(t, found, "%+v", findings)
	require.Equal(t, Unknown, found.Status, "%+v", *found)
	doRemedy(t, server.URL(), *found, "NAME", "ep")
	findings = d.examine(t.Context()).Findings
	require.Nil(t, findingOf(findings, "stream.readable"), "%+v", findings)
	require.Equal(t, OK, findingOf(findings, "stream.group").Status)
}

func TestRemedy_UserWithoutTheKeys(t *testing.T) {
	server := servers.Redis(t)
	redisCLI(t, server.Addr(), "ACL", "SETUSER", "ep", "on", ">pw", "~other", "+@all")
	d := newDeployment("redis://ep:pw@"+server.Addr(), noDatabaseFile(t))
	found := findingOf(d.examine(t.Context()).Findings, "stream.readable")
	require.NotNil(t, found)
	require.Equal(t, Problem, found.Status, "%+v", *found)
	doRemedy(t, server.URL(), *found, "NAME", "ep")
	require.Nil(t, findingOf(d.examine(t.Context()).Findings, "stream.readable"))
}
