// Package e2e runs the roles as the command line does, against real servers,
// and looks at what a producer and an operator would see.
package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun/driver/pgdriver"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) {
	runIfTheProgram()
	os.Exit(servers.Main(m, goleak.IgnoreCurrent()))
}

// pipeline is a Redis and a database of one test, and the roles on them.
type pipeline struct {
	t       *testing.T
	redis   *servers.RedisServer
	dbURL   string
	db      *sql.DB
	client  rueidis.Client
	workers int
}

// newPipeline starts servers with a migrated schema and no roles.
func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	p := &pipeline{t: t, redis: servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always"), dbURL: servers.Database(t)}
	p.connect()
	s := p.openStore()
	_, err := s.MigrateUp(t.Context())
	require.NoError(t, err)
	return p
}

func (p *pipeline) connect() {
	p.db = sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(p.dbURL)))
	p.t.Cleanup(func() { _ = p.db.Close() })
	var err error
	p.client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{p.redis.Addr()}, DisableCache: true})
	require.NoError(p.t, err)
	p.t.Cleanup(p.client.Close)
}

func (p *pipeline) openStore() *store.Store {
	p.t.Helper()
	cfg := store.DefaultConfig()
	cfg.URL = p.dbURL
	s, err := store.Open(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = s.Close() })
	return s
}

// config is what a role is run with: its defaults, on this test's servers and
// free ports.
func (p *pipeline) config(role config.Role) config.Config {
	c := config.Default(role)
	c.Redis.URL, c.Database.URL = p.redis.URL(), p.dbURL
	c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "127.0.0.1:0"
	c.HTTP.DrainDelay = 0
	c.Spool.Dir = ""
	// A busy machine is not an outage.
	c.Redis.Timeout, c.Stream.PublishTimeout = 10*time.Second, 10*time.Second
	c.Worker.Block = 200 * time.Millisecond
	return c
}

// running is a role that runs until stopped.
type running struct {
	addr, admin string
	log         *logBuffer
	stop        func()
}

func (p *pipeline) serve(change ...func(*config.Config)) *running {
	p.t.Helper()
	c := p.config(config.Serve)
	for _, f := range change {
		f(&c)
	}
	r := &running{log: &logBuffer{}}
	s, err := app.NewServe(c, r.log.logger())
	require.NoError(p.t, err)
	r.addr, r.admin = s.Addr(), s.AdminAddr()
	r.run(p.t, s.Run)
	return r
}

func (p *pipeline) work(change ...func(*config.Config)) *running {
	p.t.Helper()
	c := p.config(config.Work)
	p.workers++
	c.Worker.Consumer = fmt.Sprintf("worker-%d", p.workers)
	for _, f := range change {
		f(&c)
	}
	r := &running{log: &logBuffer{}}
	w, err := app.NewWork(c, r.log.logger())
	require.NoError(p.t, err)
	r.admin = w.AdminAddr()
	r.run(p.t, w.Run)
	return r
}

func (r *running) run(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("role ended with %v\n%s", err, r.log.String())
		}
	})
	t.Cleanup(r.stop)
}

// ready waits until the role says it is.
func (r *running) ready(t *testing.T) *running {
	t.Helper()
	eventually(t, "ready", func() bool { status, _ := get(t, "http://"+r.admin+"/readyz"); return status == 200 })
	return r
}

// logBuffer keeps a role's log for looking at.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// answer is what a producer got.
type answer struct {
	status int
	header http.Header
	body   string
}

type problem struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// problem reads the answer as the error document that every refusal is.
func (a answer) problem(t *testing.T) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"), a.body)
	var p problem
	require.NoError(t, json.Unmarshal([]byte(a.body), &p), a.body)
	require.Equal(t, a.status, p.Status)
	return p
}

// post sends body; header is alternating names and values.
func (r *running) post(t *testing.T, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) answer {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header, string(b)}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	a := do(t, req)
	return a.status, a.body
}

func (p *pipeline) count() int {
	p.t.Helper()
	var n int
	require.NoError(p.t, p.db.QueryRowContext(p.t.Context(), "SELECT count(*) FROM events").Scan(&n))
	return n
}

func (p *pipeline) streamLength() int64 {
	p.t.Helper()
	n, err := p.client.Do(p.t.Context(), p.client.B().Xlen().Key("events_stream").Build()).AsInt64()
	require.NoError(p.t, err)
	return n
}

func (p *pipeline) pending() int64 {
	p.t.Helper()
	summary, err := p.client.Do(p.t.Context(), p.client.B().Xpending().Key("events_stream").Group("event_persister").Build()).ToArray()
	require.NoError(p.t, err)
	n, err := summary[0].AsInt64()
	require.NoError(p.t, err)
	return n
}

// eventually polls cond until it holds, and fails the test when it never does.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("never happened: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// unread is how many entries were given to no consumer yet.
func (p *pipeline) unread() int64 {
	p.t.Helper()
	conn, err := stream.Open(stream.RedisConfig{URL: p.redis.URL(), DialTimeout: time.Second, Timeout: time.Second}, slog.New(slog.DiscardHandler))
	require.NoError(p.t, err)
	defer conn.Close()
	cfg := stream.DefaultConfig()
	partition, err := conn.Partition(0, cfg.Key, nil)
	require.NoError(p.t, err)
	stats, err := stream.NewInspector(partition).Stats(p.t.Context(), cfg.Group)
	require.NoError(p.t, err)
	return stats.Backlog
}
