package httpserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func startAdmin(t *testing.T, cfg AdminConfig, checks ...Check) *Admin {
	t.Helper()
	reg := newRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "eventpulse_test"}))
	a, err := NewAdmin(cfg, checks, reg, quiet())
	require.NoError(t, err)
	require.NoError(t, a.Listen())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return a
}

func get(t *testing.T, a *Admin, path string) (int, string) {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr, Timeout: timeout}).Get("http://" + a.Addr() + path)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func TestAdmin(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	well := Check{Name: "redis", Probe: func(context.Context) error { return nil }}
	ill := Check{Name: "schema", Probe: func(context.Context) error { return errors.New("schema is behind:\nrun migrate up") }}
	hung := Check{Name: "database", Probe: func(context.Context) error { <-hang; return nil }}
	advice := Check{Name: "advice", Probe: func(context.Context) error { return errors.New("gone") }, Advisory: true}
	local := AdminConfig{Addr: "127.0.0.1:0"}

	a := startAdmin(t, local, well)
	code, body := get(t, a, "/livez")
	require.Equal(t, 200, code)
	require.Equal(t, "ok\n", body)
	code, body = get(t, a, "/readyz")
	require.Equal(t, 200, code)
	require.Equal(t, "redis: ok\n", body)
	code, body = get(t, startAdmin(t, local, well, advice), "/readyz")
	require.Equal(t, 200, code, "advice does not decide")
	require.Equal(t, "redis: ok\nadvice (not needed to be ready): gone\n", body)
	code, body = get(t, a, "/metrics")
	require.Equal(t, 200, code)
	require.Contains(t, body, "eventpulse_test 0")
	require.Contains(t, body, "\neventpulse_ready 1\n")
	_, body = get(t, startAdmin(t, local, well, advice), "/metrics")
	require.Contains(t, body, "\neventpulse_ready 1\n")
	code, _ = get(t, a, "/debug/pprof/")
	require.Equal(t, 404, code, "profiles are off")

	a.Drain()
	code, body = get(t, a, "/readyz")
	require.Equal(t, 503, code)
	require.Equal(t, "draining\n", body)
	_, body = get(t, a, "/metrics")
	require.Contains(t, body, "\neventpulse_ready 0\n")
	code, _ = get(t, a, "/livez")
	require.Equal(t, 200, code)

	a = startAdmin(t, local, well, ill, hung, hung)
	begin := time.Now()
	code, body = get(t, a, "/readyz")
	require.Less(t, time.Since(begin), 3*time.Second)
	require.Equal(t, 503, code)
	require.Equal(t, "redis: ok\nschema: schema is behind:; run migrate up\n"+
		strings.Repeat("database: no answer within 1s\n", 2), body)
	code, body = get(t, a, "/metrics")
	require.Equal(t, 200, code, "a check that hangs does not hide the metrics")
	require.Contains(t, body, "\neventpulse_ready 0\n")

	a = startAdmin(t, AdminConfig{Addr: "127.0.0.1:0", Pprof: true})
	code, _ = get(t, a, "/readyz")
	require.Equal(t, 200, code)
	code, _ = get(t, a, "/debug/pprof/goroutine")
	require.Equal(t, 200, code)
	code, _ = get(t, a, "/debug/pprof/cmdline")
	require.Equal(t, 404, code, "the command line may hold passwords")
}

func TestAdmin_WithoutAddress(t *testing.T) {
	a := startAdmin(t, AdminConfig{})
	require.Empty(t, a.Addr())
	require.NoError(t, a.Close())
}

func TestProbe_RunsOnceAtATime(t *testing.T) {
	calls := make(chan struct{}, 100)
	open := make(chan struct{})
	p := NewProbe(func(context.Context) error {
		calls <- struct{}{}
		<-open
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan error, 10)
	for range 10 {
		go func() { results <- p.Run(ctx) }()
	}
	<-calls
	cancel()
	for range 10 {
		require.Error(t, <-results)
	}
	require.Empty(t, calls, "one call for all")
	close(open)
	eventually(t, func() bool { return p.Run(context.Background()) == nil }, "well again")
}

func TestConfig_ErrorsNameTheirKeys(t *testing.T) {
	require.NoError(t, DefaultConfig().Validate())
	require.NoError(t, DefaultAdminConfig().Validate())
	err := Config{Addr: "nowhere"}.Validate()
	for _, key := range []string{
		"addr", "max_body_bytes", "max_header_bytes", "max_in_flight", "read_header_timeout", "read_timeout",
		"write_timeout", "idle_timeout", "drain_delay", "shutdown_timeout", "retry_after",
	} {
		require.ErrorContains(t, err, "http."+key+": ")
	}
	cfg := DefaultConfig()
	cfg.MaxInFlightBytes = cfg.MaxBodyBytes - 1
	require.ErrorContains(t, cfg.Validate(), "http.max_in_flight_bytes: ")
	for _, addr := range []string{"3000", ":http!", ":99999", "a:b:c"} {
		require.ErrorContains(t, AdminConfig{Addr: addr}.Validate(), "admin.addr: ", addr)
	}
	_, err = New(Config{}, quiet(), newRegistry())
	require.Error(t, err)
	_, err = NewAdmin(AdminConfig{Addr: "x"}, nil, newRegistry(), quiet())
	require.Error(t, err)
}
