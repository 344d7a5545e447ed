package servers

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a Redis of one's own. Its address and data stay the same
// through every stop and start. Methods are not safe for concurrent use;
// errors of one made by [Redis] also fail its test.
type RedisServer struct {
	verbs
	bin  string
	args []string
}

// Redis starts a Redis that keeps nothing on disk (save "", appendonly no)
// and ends with the test. The args are appended to its command line and so
// win: "--appendonly", "yes".
func Redis(tb testing.TB, args ...string) *RedisServer {
	tb.Helper()
	SkipShort(tb)
	s, err := NewRedis("", args...)
	if err != nil {
		tb.Fatalf("redis: %v", err)
	}
	s.attach(tb)
	if err := s.Start(); err != nil {
		tb.FailNow() // reported by Start
	}
	return s
}

// NewRedis prepares a Redis that keeps its data in dir, for use outside of
// tests; an empty dir means a throw-away one that Close removes. It does not
// start it.
func NewRedis(dir string, args ...string) (*RedisServer, error) {
	bin, err := findBinary("redis-server", "the package redis-server (Redis 7 or later)")
	if err != nil {
		return nil, err
	}
	s := &RedisServer{bin: bin, args: args}
	if err := s.settle(dir, "redis"); err != nil {
		return nil, err
	}
	s.graceful = syscall.SIGTERM
	s.launch = s.run
	return s, nil
}

// URL returns the address as redis://127.0.0.1:port.
func (s *RedisServer) URL() string { return "redis://" + s.Addr() }

func (s *RedisServer) run() (*process, error) {
	data := filepath.Join(s.dir, dataName)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	argv := append([]string{
		s.bin, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", data,
		"--daemonize", "no", "--save", "", "--appendonly", "no",
	}, s.args...)
	p, err := startProcess(argv, data, s.logPath, nil)
	if err != nil {
		return nil, err
	}
	return p, s.awaitReady(p, func() error { return redisReady(s.Addr(), p.pid) })
}

// redisReady asks the server at addr for its process id: somebody else's may
// have taken the port.
func redisReady(addr string, pid int) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "INFO server\r\nPING\r\nQUIT\r\n"); err != nil {
		return err
	}
	reply, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	switch {
	case bytes.Contains(reply, []byte("-NOAUTH")): // up, and not for us to ask
		return nil
	case !bytes.Contains(reply, []byte("process_id:"+strconv.Itoa(pid)+"\r\n")):
		return fmt.Errorf("another server answers at %s", addr)
	case !bytes.Contains(reply, []byte("+PONG")):
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(reply[max(0, len(reply)-200):])))
	}
	return nil
}
