package e2e

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestComesUpBeforeRedisAndDatabase(t *testing.T) {
	redis, pg := servers.Redis(t), servers.Postgres(t)
	require.NoError(t, redis.Stop())
	require.NoError(t, pg.Stop())
	p := &pipeline{t: t, redis: redis, dbURL: pg.URL()}
	serve, work := p.serve(), p.work()

	// Up, not ready, and saying which.
	eventually(t, "serve says what it lacks", func() bool {
		status, body := get(t, "http://"+serve.admin+"/readyz")
		return status == 503 && strings.Contains(body, "redis: ") && !strings.Contains(body, "redis: ok") && strings.Contains(body, "http: ok")
	})
	eventually(t, "work says what it lacks", func() bool {
		status, body := get(t, "http://"+work.admin+"/readyz")
		return status == 503 && !strings.Contains(body, "redis: ok") && !strings.Contains(body, "database: ok")
	})
	for _, r := range []*running{serve, work} {
		status, _ := get(t, "http://"+r.admin+"/livez")
		require.Equal(t, 200, status)
		require.NotContains(t, r.log.String(), "goroutine ")
	}
	a := serve.post(t, single, pageView)
	require.Equal(t, 503, a.status)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	status, body := get(t, "http://"+serve.addr+"/api/v1/events/health")
	require.Equal(t, 503, status)
	require.Contains(t, body, `"redis":`)

	require.NoError(t, redis.Start())
	require.NoError(t, pg.Start())
	serve.ready(t)
	eventually(t, "work waits for the schema", func() bool {
		_, body := get(t, "http://"+work.admin+"/readyz")
		return strings.Contains(body, "run eventpulse migrate up")
	})
	require.Equal(t, 202, serve.post(t, single, pageView).status)

	p.connect()
	_, err := p.openStore().MigrateUp(t.Context())
	require.NoError(t, err)
	work.ready(t)
	eventually(t, "stored", func() bool { return p.count() == 1 && p.pending() == 0 })
}

func TestWorkCanRefuseASchemaThatIsBehind(t *testing.T) {
	p := &pipeline{t: t, redis: servers.Redis(t), dbURL: servers.Database(t)}
	c := p.config(config.Work)
	c.Worker.WaitForSchema = false
	w, err := app.NewWork(c, (&logBuffer{}).logger())
	require.NoError(t, err)
	err = w.Run(t.Context())
	require.ErrorIs(t, err, store.ErrSchemaBehind)
	require.ErrorContains(t, err, "run eventpulse migrate up")
}

func TestDatabaseAwayForAWhile(t *testing.T) {
	redis, pg := servers.Redis(t), servers.Postgres(t)
	p := &pipeline{t: t, redis: redis, dbURL: pg.URL()}
	p.connect()
	_, err := p.openStore().MigrateUp(t.Context())
	require.NoError(t, err)
	serve, work := p.serve().ready(t), p.work().ready(t)

	require.NoError(t, pg.Kill())
	sent := generated()
	for _, line := range sent {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	eventually(t, "work is not ready", func() bool {
		status, body := get(t, "http://"+work.admin+"/readyz")
		return status == 503 && strings.Contains(body, "progress: ")
	})
	require.NoError(t, pg.Start())
	eventually(t, "all stored", func() bool {
		var n int
		err := p.db.QueryRowContext(t.Context(), "SELECT count(*) FROM events").Scan(&n)
		return err == nil && n == len(sent) && p.pending() == 0
	})
	work.ready(t)
}

func TestRedisAwayForAWhile(t *testing.T) {
	p := newPipeline(t)
	serve, work := p.serve().ready(t), p.work().ready(t)
	sent := generated()
	require.Equal(t, 202, serve.post(t, single, sent[0]).status)
	require.NoError(t, p.redis.Kill())
	a := serve.post(t, single, sent[1])
	require.Equal(t, 503, a.status, a.body)
	require.NoError(t, p.redis.Start())
	serve.ready(t)
	work.ready(t)
	require.Equal(t, 202, serve.post(t, single, sent[2]).status)
	eventually(t, "both accepted ones stored", func() bool { return p.count() >= 2 && p.pending() == 0 })
}

func TestAPortThatIsTakenIsSaidAtOnce(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	p := &pipeline{t: t, redis: servers.Redis(t)}
	c := p.config(config.Serve)
	c.HTTP.Addr = ln.Addr().String()
	_, err = app.NewServe(c, (&logBuffer{}).logger())
	require.ErrorContains(t, err, "http.addr")
	require.ErrorContains(t, err, ln.Addr().String())
}

func TestOneProcessModeStoresWhatItAccepted(t *testing.T) {
	c := config.Default(config.Dev)
	c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "127.0.0.1:0"
	dir := t.TempDir()
	log := &logBuffer{}
	var stored atomic.Int64
	observe := func(events []event.Event, inserted event.Inserted) {
		stored.Add(int64(len(events) - len(inserted.Duplicates) - len(inserted.Dropped)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d, err := app.NewDev(ctx, c, dir, observe, log.logger())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	serve := &running{addr: d.Addr(), log: log}
	sent := generated()
	eventually(t, "first accepted", func() bool { return serve.post(t, single, sent[0]).status == 202 })
	for _, line := range sent[1:] {
		require.Equal(t, 202, serve.post(t, single, line).status)
	}
	cancel()
	require.NoError(t, <-done)
	require.EqualValues(t, len(sent), stored.Load(), log.String())

	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + dir + "/eventpulse.db"
	s, err := store.Open(cfg, log.logger(), nil)
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	n, err := s.Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(sent), n)
}
