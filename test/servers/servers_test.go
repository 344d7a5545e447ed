package servers_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/eventpulse/eventpulse/test/servers"
)

const helperEnv = "SERVERS_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		os.Exit(helper())
	}
	os.Exit(servers.Main(m))
}

func TestRedisLives(t *testing.T) {
	s := servers.Redis(t)
	require.Equal(t, "+OK", redisSays(t, s, "SET k v"))
	addr := s.Addr()

	require.NoError(t, s.Stop())
	_, err := net.DialTimeout("tcp", addr, time.Second)
	require.Error(t, err)

	require.NoError(t, s.Start())
	require.Equal(t, addr, s.Addr())
	require.Equal(t, "$-1", redisSays(t, s, "GET k"), "nothing is kept by default")

	require.NoError(t, s.Kill())
	require.Zero(t, s.PID())
	require.NoError(t, s.Start())
	require.Equal(t, "+PONG", redisSays(t, s, "PING"))
}

func TestRedisArgumentsWin(t *testing.T) {
	s := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	require.Equal(t, "+OK", redisSays(t, s, "SET k v"))
	require.NoError(t, s.Kill())
	require.NoError(t, s.Start())
	require.Equal(t, "$1", redisSays(t, s, "GET k"))
}

func TestRedisPause(t *testing.T) {
	s := servers.Redis(t)
	require.NoError(t, s.Pause())
	_, err := redisTry(s.Addr(), "PING", 100*time.Millisecond)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), err)
	require.NoError(t, s.Resume())
	require.Equal(t, "+PONG", redisSays(t, s, "PING"))

	require.NoError(t, s.Pause())
	require.NoError(t, s.Stop(), "a frozen server is thawed to end in order")
}

func TestRedisRefusesToStart(t *testing.T) {
	servers.SkipShort(t)
	s, err := servers.NewRedis(t.TempDir(), "--no-such-option", "1")
	require.NoError(t, err)
	err = s.Start()
	require.ErrorContains(t, err, "redis: start: ended at once")
	require.ErrorContains(t, err, "no-such-option", "the server's own words are in the error")
	require.NoError(t, s.Close())
}

func TestDatabasesAreApart(t *testing.T) {
	a, b := servers.Database(t), servers.Database(t)
	require.NotEqual(t, a, b)
	run(t, a, "CREATE TABLE x (n int)")
	run(t, b, "CREATE TABLE x (n int)")
}

func TestPostgresLives(t *testing.T) {
	s := servers.Postgres(t, "work_mem=5MB")
	url := s.URL()
	run(t, url, "CREATE TABLE x (n int)")
	run(t, url, "INSERT INTO x VALUES (7)")
	require.Equal(t, "5MB", ask(t, url, "SHOW work_mem"))
	require.Equal(t, "off", ask(t, url, "SHOW fsync"))

	require.NoError(t, s.Stop())
	require.NoError(t, s.Start())
	require.Equal(t, "7", ask(t, url, "SELECT n FROM x"))

	require.NoError(t, s.Kill())
	require.NoError(t, s.Start())
	require.Equal(t, "7", ask(t, url, "SELECT n FROM x"), "committed before the kill")
}

func TestPostgresPauseReachesSessions(t *testing.T) {
	s := servers.Postgres(t)
	db := open(s.URL(), 300*time.Millisecond)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.Ping())

	require.NoError(t, s.Pause())
	_, err := db.Exec("SELECT 1") // on the session that is already open
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.NoError(t, s.Resume())
	require.Equal(t, "1", ask(t, s.URL(), "SELECT 1"))
}

func TestNothingOutlivesAKilledTest(t *testing.T) {
	servers.SkipShort(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	var pids []int
	var dirs []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		pid, dir, ok := strings.Cut(lines.Text(), " ")
		require.True(t, ok, lines.Text())
		n, err := strconv.Atoi(pid)
		require.NoError(t, err)
		pids, dirs = append(pids, n), append(dirs, dir)
	}
	require.Len(t, pids, 2, "the helper could not start its servers")

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	for _, pid := range pids {
		require.Eventually(t, func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || strings.Contains(string(stat), ") Z ")
		}, 20*time.Second, 10*time.Millisecond)
	}

	// Their directories go with the next server that anybody makes, once
	// they are old enough not to be somebody's who is just beginning.
	old := time.Now().Add(-time.Hour)
	for _, dir := range dirs {
		require.NoError(t, os.Chtimes(dir, old, old))
	}
	s, err := servers.NewRedis("")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for _, dir := range dirs {
		require.NoDirExists(t, dir)
	}
}

func TestCloseLeavesNoDirectory(t *testing.T) {
	servers.SkipShort(t)
	s, err := servers.NewPostgres("")
	require.NoError(t, err)
	require.NoError(t, s.Start())
	require.DirExists(t, filepath.Join(s.Dir(), "data"))
	require.NoError(t, s.Close())
	require.NoDirExists(t, s.Dir())
}

// helper starts servers, says so, and waits to be killed.
func helper() int {
	redis, err := servers.NewRedis("")
	if err == nil {
		err = redis.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(redis.PID(), redis.Dir())
	postgres, err := servers.NewPostgres("")
	if err == nil {
		err = postgres.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(postgres.PID(), postgres.Dir())
	fmt.Println("ready")
	select {}
}

func redisSays(t *testing.T, s *servers.RedisServer, command string) string {
	t.Helper()
	line, err := redisTry(s.Addr(), command, 5*time.Second)
	require.NoError(t, err)
	return line
}

func redisTry(addr, command string, timeout time.Duration) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func open(url string, timeout time.Duration) *sql.DB {
	return sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(url), pgdriver.WithTimeout(timeout)))
}

func run(t *testing.T, url, query string) {
	t.Helper()
	db := open(url, 30*time.Second)
	_, err := db.Exec(query)
	require.NoError(t, errors.Join(err, db.Close()))
}

func ask(t *testing.T, url, query string) string {
	t.Helper()
	db := open(url, 30*time.Second)
	var s string
	err := db.QueryRowContext(context.Background(), query).Scan(&s)
	require.NoError(t, errors.Join(err, db.Close()))
	return s
}
