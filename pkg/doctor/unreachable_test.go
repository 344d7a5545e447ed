package doctor

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

// redisWithTLS starts a Redis that speaks TLS at the address returned, and
// plain text at its own. It asks clients for certificates as told: yes or no.
func redisWithTLS(t *testing.T, a *authority, cert, clients string) (tlsAddr string, server *servers.RedisServer) {
	t.Helper()
	port, err := servers.ReservePort()
	require.NoError(t, err)
	t.Cleanup(func() { servers.ReleasePort(port) })
	server = servers.Redis(t, "--tls-port", strconv.Itoa(port), "--tls-auth-clients", clients,
		"--tls-cert-file", a.file(cert+".crt"), "--tls-key-file", a.file(cert+".key"), "--tls-ca-cert-file", a.file("ca.crt"))
	return "127.0.0.1:" + strconv.Itoa(port), server
}

// redisFinding returns what is said of whether the Redis at url can be asked.
func redisFinding(t *testing.T, url string, files ...stream.TLSConfig) Finding {
	t.Helper()
	d := newDeployment(url, "sqlite:"+filepath.Join(t.TempDir(), "none.db"))
	d.redis.Timeout, d.redis.DialTimeout = time.Second, time.Second
	for _, f := range files {
		d.redis.TLS = f
	}
	found := findingOf(d.examine(t.Context()).Findings, "redis.reachable")
	require.NotNil(t, found)
	return *found
}

func requireProblem(t *testing.T, f Finding, remedy string) {
	t.Helper()
	require.Equal(t, Problem, f.Status, "%+v", f)
	require.Contains(t, f.Remedy, remedy, "%+v", f)
}

func requireOK(t *testing.T, f Finding) {
	t.Helper()
	require.Equal(t, OK, f.Status, "%+v", f)
}

// Each cause is brought about, and gone once the remedy is done.
func TestRedisUnreachable_RemedyIsForTheCause(t *testing.T) {
	t.Run("not running", func(t *testing.T) {
		s := servers.Redis(t)
		require.NoError(t, s.Stop())
		requireProblem(t, redisFinding(t, s.URL()), "start it")
		require.NoError(t, s.Start())
		requireOK(t, redisFinding(t, s.URL()))
	})
	t.Run("hangs", func(t *testing.T) {
		s := servers.Redis(t)
		require.NoError(t, s.Pause())
		requireProblem(t, redisFinding(t, s.URL()), "see whether it hangs")
		require.NoError(t, s.Resume())
		requireOK(t, redisFinding(t, s.URL()))
	})
	t.Run("no such host", func(t *testing.T) {
		requireProblem(t, redisFinding(t, "redis://redis.invalid:6379"), "correct the host")
	})
	t.Run("no such socket", func(t *testing.T) {
		path := filepath.Join(shortDir(t), "redis.sock")
		requireProblem(t, redisFinding(t, "unix://"+path), "start it, correct the path")
		servers.Redis(t, "--unixsocket", path)
		requireOK(t, redisFinding(t, "unix://"+path))
	})
	t.Run("no password", func(t *testing.T) {
		s := servers.Redis(t, "--requirepass", "hunter2")
		requireProblem(t, redisFinding(t, s.URL()), "redis://user:password@host")
		requireProblem(t, redisFinding(t, "redis://:wrong@"+s.Addr()), "redis://user:password@host")
		requireOK(t, redisFinding(t, "redis://:hunter2@"+s.Addr()))
	})
	t.Run("no such database", func(t *testing.T) {
		s := servers.Redis(t)
		requireProblem(t, redisFinding(t, s.URL()+"/99"), "end redis.url with /0")
		requireOK(t, redisFinding(t, s.URL()+"/0"))
	})
}

// shortDir is a directory whose path is short enough for a socket in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ep")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestRedisUnreachable_RemedyForTLS(t *testing.T) {
	a := newAuthority(t)
	hour, now := time.Hour, time.Now()
	a.server("valid", now.Add(-hour), now.Add(hour))
	a.server("expired", now.Add(-2*hour), now.Add(-hour))
	a.server("foreign", now.Add(-hour), now.Add(hour), "redis.example.com")

	trusting := stream.TLSConfig{CA: a.file("ca.crt")}

	addr, plain := redisWithTLS(t, a, "valid", "no")
	t.Run("private authority", func(t *testing.T) {
		requireProblem(t, redisFinding(t, "rediss://"+addr), "redis.tls.ca")
		requireOK(t, redisFinding(t, "rediss://"+addr, trusting))
	})
	t.Run("plain text to TLS", func(t *testing.T) {
		requireProblem(t, redisFinding(t, "redis://"+addr), "asks for TLS exactly where the server speaks it")
	})
	t.Run("TLS to plain text", func(t *testing.T) {
		requireProblem(t, redisFinding(t, "rediss://"+plain.Addr()), "asks for TLS exactly where the server speaks it")
		requireOK(t, redisFinding(t, "redis://"+plain.Addr()))
	})
	t.Run("expired", func(t *testing.T) {
		addr, _ := redisWithTLS(t, a, "expired", "no")
		requireProblem(t, redisFinding(t, "rediss://"+addr, trusting), "renew the server's certificate")
	})
	t.Run("another name", func(t *testing.T) {
		addr, _ := redisWithTLS(t, a, "foreign", "no")
		requireProblem(t, redisFinding(t, "rediss://"+addr, trusting), "by a host that its certificate is for")
	})
	t.Run("no certificate of the client", func(t *testing.T) {
		addr, server := redisWithTLS(t, a, "valid", "yes")
		requireProblem(t, redisFinding(t, "rediss://"+addr, trusting), "redis.tls.cert and redis.tls.key")
		withPair := trusting
		withPair.Cert, withPair.Key = a.file("valid.crt"), a.file("valid.key")
		requireOK(t, redisFinding(t, "rediss://"+addr, withPair))
		requireProblem(t, redisFinding(t, "rediss://"+addr, trusting), "tls-auth-clients no")
		redisCLI(t, server.Addr(), "CONFIG", "SET", "tls-auth-clients", "no")
		requireOK(t, redisFinding(t, "rediss://"+addr, trusting))
	})
}

// redisCLI does what a remedy says.
func redisCLI(t *testing.T, addr string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-e", "-u", "redis://" + addr}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestDatabaseUnreachable_RemedyIsForTheCause(t *testing.T) {
	server := servers.Postgres(t)
	database := func(url string) Finding {
		d := newDeployment(noRedis, url)
		d.database.ConnectTimeout = time.Second
		return *findingOf(d.examine(t.Context()).Findings, "database.reachable")
	}
	db, err := sql.Open("pg", server.URL())
	require.NoError(t, err)
	defer db.Close()
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			_, err := db.ExecContext(t.Context(), s)
			require.NoError(t, err, s)
		}
	}
	withUser := func(userinfo string) string {
		return "postgres://" + userinfo + "@" + server.Addr() + "/postgres?sslmode=disable"
	}

	t.Run("no such database", func(t *testing.T) {
		requireProblem(t, database(server.DatabaseURL("missing")), "createdb NAME")
		do("CREATE DATABASE missing")
		requireOK(t, database(server.DatabaseURL("missing")))
	})
	t.Run("no such role", func(t *testing.T) {
		requireProblem(t, database(withUser("nobody_here:hunter2")), "correct the user")
		do("CREATE ROLE nobody_here LOGIN PASSWORD 'hunter2'")
		requireOK(t, database(withUser("nobody_here:hunter2")))
	})
	t.Run("no TLS", func(t *testing.T) {
		requireProblem(t, database("postgres://postgres@"+server.Addr()+"/postgres?sslmode=require"), "database.url")
	})
	t.Run("not running", func(t *testing.T) {
		require.NoError(t, server.Stop())
		requireProblem(t, database(server.URL()), "start it")
		require.NoError(t, server.Start())
		requireOK(t, database(server.URL()))
	})
	t.Run("hangs", func(t *testing.T) {
		require.NoError(t, server.Pause())
		requireProblem(t, database(server.URL()), "see whether it hangs")
		require.NoError(t, server.Resume())
		requireOK(t, database(server.URL()))
	})
}

func TestUnreachable_RemedyNamesTheSetting(t *testing.T) {
	bad := &SettingError{"redis.url", os.ErrInvalid}
	requireProblem(t, redisUnreachable(stream.Info{}, bad)[0], "correct redis.url")
}

func TestDatabaseUnreachable_SQLiteFileDoesNotExist(t *testing.T) {
	d := newDeployment(noRedis, noDatabaseFile(t))
	requireProblem(t, *findingOf(d.examine(t.Context()).Findings, "database.reachable"), "eventpulse migrate up")
	d.migrate(t)
	requireOK(t, *findingOf(d.examine(t.Context()).Findings, "database.reachable"))
}
