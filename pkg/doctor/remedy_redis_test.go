package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// The tests of this file bring causes about on a real Redis, do literally what
// the remedy says, and see the finding gone.

// redisCommand finds the commands in a remedy: up to "; ", ", " or the end.
var redisCommand = regexp.MustCompile(`redis-cli ((?:'[^']*'|[^;,'])+)`)

// doRemedy runs every redis-cli command of a remedy, with what stands for a
// name of the operator's choice replaced.
func doRemedy(t *testing.T, url string, f Finding, replace ...string) {
	t.Helper()
	commands := redisCommand.FindAllStringSubmatch(f.Remedy, -1)
	require.NotEmpty(t, commands, "%+v", f)
	for _, c := range commands {
		line := strings.NewReplacer(replace...).Replace(strings.TrimSpace(c[1]))
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "redis-cli -e -u "+url+" "+line).CombinedOutput()
		require.NoError(t, err, "redis-cli %s: %s", line, out)
	}
}

// noDatabaseFile keeps PostgreSQL out of what is examined.
func noDatabaseFile(t *testing.T) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "none.db")
}

// remedied requires a finding with that status, does what its remedy says, and
// requires it to be better.
func remedied(t *testing.T, d deployment, check string, status Status, replace ...string) {
	t.Helper()
	found := findingOf(d.examine(t.Context()).Findings, check)
	require.NotNil(t, found, check)
	require.Equal(t, status, found.Status, "%+v", *found)
	doRemedy(t, d.redis.URL, *found, replace...)
	require.Eventually(t, func() bool {
		found = findingOf(d.examine(t.Context()).Findings, check)
		return found == nil || found.Status == OK
	}, 30*time.Second, 10*time.Millisecond, "%+v", found)
}

func TestRemedy_RedisSettings(t *testing.T) {
	for _, c := range []struct {
		check  string
		status Status
		args   []string
		change []string // replaced in the remedy
	}{
		{"redis.persistence", Problem, []string{"--appendonly", "no"}, nil},
		{"redis.persistence", Problem, []string{"--appendonly", "yes", "--appendfsync", "no"}, nil},
		{"redis.persistence", Warning, []string{"--appendonly", "yes", "--appendfsync", "everysec"}, nil},
		{"redis.persistence", Warning, []string{"--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"}, nil},
		{"redis.eviction", Problem, []string{"--maxmemory", "512mb", "--maxmemory-policy", "allkeys-lru"}, nil},
		{"redis.eviction", Warning, []string{"--maxmemory-policy", "allkeys-lfu"}, nil},
		{"redis.memory", Warning, nil, []string{"SIZE", "512mb"}},
		{"redis.role", Problem, []string{"--min-replicas-to-write", "1"}, nil},
		{"redis.role", Problem, []string{"--replicaof", "127.0.0.1 1"}, nil},
	} {
		t.Run(fmt.Sprint(c.check, c.args), func(t *testing.T) {
			remedied(t, newDeployment(servers.Redis(t, c.args...).URL(), noDatabaseFile(t)), c.check, c.status, c.change...)
		})
	}
}

func TestRemedy_ReplicaThatIsNotWaitedFor(t *testing.T) {
	primary := servers.Redis(t)
	host, port, _ := strings.Cut(primary.Addr(), ":")
	servers.Redis(t, "--replicaof", host+" "+port)
	d := newDeployment(primary.URL(), noDatabaseFile(t))
	require.Eventually(t, func() bool {
		return findingOf(d.examine(t.Context()).Findings, "redis.role").Status == Warning
	}, 30*time.Second, 10*time.Millisecond)
	remedied(t, d, "redis.role", Warning)
}

// Redis writes snapshots into a directory that does not exist, until it does.
func TestRemedy_SnapshotThatFails(t *testing.T) {
	server := servers.Redis(t, "--enable-protected-configs", "yes")
	d := newDeployment(server.URL(), noDatabaseFile(t))
	dir := t.TempDir()
	redisCLI(t, server.Addr(), "CONFIG", "SET", "dir", dir)
	require.NoError(t, os.Remove(dir))
	redisCLI(t, server.Addr(), "BGSAVE")
	disk := func(status Status) func() bool {
		return func() bool { return findingOf(d.examine(t.Context()).Findings, "redis.disk").Status == status }
	}
	require.Eventually(t, disk(Warning), 30*time.Second, 10*time.Millisecond)
	redisCLI(t, server.Addr(), "CONFIG", "SET", "save", "60 1")
	require.Eventually(t, disk(Problem), 30*time.Second, 10*time.Millisecond)
	require.NoError(t, os.Mkdir(dir, 0o700))
	redisCLI(t, server.Addr(), "CONFIG", "SET", "dir", dir)
	redisCLI(t, server.Addr(), "BGSAVE")
	require.Eventually(t, disk(OK), 30*time.Second, 10*time.Millisecond)
}

func TestRemedy_UserWithoutInfo(t *testing.T) {
	server := servers.Redis(t)
	redisCLI(t, server.Addr(), "ACL", "SETUSER", "ep", "on", ">pw", "~*", "+@all", "-info", "-config")
	d := newDeployment("redis://ep:pw@"+server.Addr(), noDatabaseFile(t))
	found := findingOf(d.examine(t.Context()).Findings, "redis.server")
	require.NotNil(t, found)
	require.Equal(t, Unknown, found.Status)
	doRemedy(t, server.URL(), *found, "NAME", "ep")
	require.Nil(t, findingOf(d.examine(t.Context()).Findings, "redis.server"))
	require.Equal(t, Problem, findingOf(d.examine(t.Context()).Findings, "redis.persistence").Status)
}
