package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/config"
)

// spooled gives serve a spool in dir.
func spooled(dir string) func(*config.Config) {
	return func(c *config.Config) { c.Spool.Dir = dir }
}

func TestRedisAwayIsNotNoticedByProducers(t *testing.T) {
	for name, fault := range map[string]struct{ inject, heal func(*pipeline) error }{
		"killed": {func(p *pipeline) error { return p.redis.Kill() }, func(p *pipeline) error { return p.redis.Start() }},
		"hung":   {func(p *pipeline) error { return p.redis.Pause() }, func(p *pipeline) error { return p.redis.Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPipeline(t)
			serve, _ := p.serve(spooled(t.TempDir())).ready(t), p.work().ready(t)
			sent := generated()
			require.NoError(t, fault.inject(p))
			for _, line := range sent {
				a := serve.post(t, single, line)
				require.Equal(t, 202, a.status, a.body)
			}
			status, body := get(t, "http://"+serve.admin+"/readyz")
			require.Equal(t, 200, status, body)
			require.Contains(t, body, "spool: ok")
			require.NotContains(t, body, "redis: ok")
			status, body = get(t, "http://"+serve.addr+"/api/v1/events/health")
			require.Equal(t, 200, status, "a load balancer must not leave a serve that accepts events")
			require.NotContains(t, body, "PONG")
			require.NoError(t, fault.heal(p))
			eventually(t, "all stored", func() bool { return p.count() == len(sent) })
			eventually(t, "nothing pending", func() bool { return p.unread() == 0 && p.pending() == 0 })
		})
	}
}

func TestTheSpoolOutlivesItsProcess(t *testing.T) {
	p := newPipeline(t)
	dir := filepath.Join(t.TempDir(), "spool")
	require.NoError(t, p.redis.Kill())
	// Absent since boot: accepted all the same.
	serve := p.serve(spooled(dir)).ready(t)
	sent := generated()
	a := serve.post(t, batch, "["+strings.Join(sent, ",")+"]")
	require.Equal(t, 202, a.status, a.body)
	serve.stop()

	require.NoError(t, p.redis.Start())
	p.serve(spooled(dir)).ready(t)
	p.work()
	eventually(t, "all stored", func() bool { return p.count() == len(sent) && p.pending() == 0 })
}

func TestTwoProcessesOnOneSpoolAreRefused(t *testing.T) {
	p := newPipeline(t)
	dir := t.TempDir()
	p.serve(spooled(dir))
	c := p.config(config.Serve)
	c.Spool.Dir = dir
	_, err := app.NewServe(c, (&logBuffer{}).logger())
	require.ErrorContains(t, err, "spool.dir")
	require.ErrorContains(t, err, dir)
}
