package httpserver

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testTime = time.Unix(1_700_000_000, 0)

// TestDrain_UnderLoad ends the server under keep-alive load. Clients that leave
// on Connection: close see no failure at all; clients that come back for ever
// may find the listener closed, but whatever was accepted was answered so.
func TestDrain_UnderLoad(t *testing.T) {
	for name, relentless := range map[string]bool{"clients that leave": false, "clients that come back": true} {
		t.Run(name, func(t *testing.T) { drainUnderLoad(t, relentless) })
	}
}

func drainUnderLoad(t *testing.T, relentless bool) {
	var accepted, answered, failed atomic.Int64
	r := start(t, &fake{accept: func(context.Context, string) error {
		accepted.Add(1)
		return nil
	}}, func(c *Config) { c.DrainDelay = 300 * time.Millisecond })

	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr, Timeout: timeout}
			for {
				// A body that cannot be sent twice, so that the client does
				// not try again by itself.
				body := io.MultiReader(strings.NewReader("{}"))
				res, err := client.Post(r.url("/api/v1/events"), "application/json", body)
				if err != nil {
					failed.Add(1)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode == 202 {
					answered.Add(1)
				}
				if res.Close && !relentless {
					return
				}
			}
		})
	}
	eventually(t, func() bool { return answered.Load() > 500 }, "load")
	require.NoError(t, r.Ready(context.Background()))
	require.NoError(t, r.ended())
	require.Error(t, r.Ready(context.Background()))
	clients.Wait()
	require.Equal(t, accepted.Load(), answered.Load())
	if !relentless {
		require.Zero(t, failed.Load())
	}
	require.Zero(t, r.web.ln.busy.Load())
	require.Zero(t, r.web.ln.open.Load())
	require.Empty(t, r.web.ln.fresh)
	t.Logf("%d accepted and answered, %d failed", accepted.Load(), failed.Load())
}

func TestDrain_AnswersWhatIsInFlight(t *testing.T) {
	g := newGate()
	r := start(t, &fake{accept: g.wait})
	p := r.dial(t)
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	<-g.entered
	// A pipelined request that will not be read must not cost the answer.
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	r.stop()
	eventually(t, func() bool {
		nc, err := net.Dial("tcp", r.Addr())
		if err == nil {
			_ = nc.Close()
		}
		return err != nil
	}, "the listener closes")
	close(g.open)
	a := p.answer("POST")
	require.Equal(t, 202, a.StatusCode)
	require.True(t, a.Close)
	p.requireClosed()
	require.NoError(t, r.ended())
}

// TestDrain_IsNotDelayedByUnusedConnections has a connection that was opened in
// advance and never used.
func TestDrain_IsNotDelayedByUnusedConnections(t *testing.T) {
	r := start(t, &fake{})
	silent := r.dial(t)
	eventually(t, func() bool { return r.web.ln.open.Load() == 1 }, "accepted")
	begin := time.Now()
	require.NoError(t, r.ended())
	require.Less(t, time.Since(begin), 4*time.Second)
	silent.requireClosed()
}

func TestDrainDelay_AnswersWithConnectionClose(t *testing.T) {
	r := start(t, &fake{}, func(c *Config) { c.DrainDelay = 2 * time.Second })
	r.stop()
	eventually(t, func() bool { return r.Ready(context.Background()) != nil }, "draining")
	p := r.dial(t)
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	a := p.answer("POST")
	require.Equal(t, 202, a.StatusCode)
	require.True(t, a.Close)
	p.requireClosed()
}

func TestShutdownTimeout_CutsConnections(t *testing.T) {
	g := newGate()
	r := start(t, &fake{accept: g.wait}, func(c *Config) { c.ShutdownTimeout = 200 * time.Millisecond })
	p := r.dial(t)
	p.send(events + "Content-Length: 2\r\n\r\n{}")
	<-g.entered
	err := r.ended()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "unanswered")
	close(g.open)
	eventually(t, func() bool { return r.inFlight.held.Load() == 0 }, "the handler ends")
}

func TestListen(t *testing.T) {
	r := start(t, &fake{})
	require.NoError(t, r.Listen(), "again")
	cfg := testConfig()
	cfg.Addr = r.Addr()
	s, err := New(cfg, quiet(), newRegistry())
	require.NoError(t, err)
	require.Empty(t, s.Addr())
	require.ErrorContains(t, s.Listen(), cfg.Addr)
	require.ErrorContains(t, s.Serve(context.Background()), cfg.Addr)
	require.NoError(t, s.Close())

	cfg.Addr = "127.0.0.1:0"
	s, err = New(cfg, quiet(), newRegistry())
	require.NoError(t, err)
	require.NoError(t, s.Listen())
	require.NoError(t, s.Close(), "without having served")
}
