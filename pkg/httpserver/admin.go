package httpserver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	adminReadTimeout     = 5 * time.Second
	adminShutdownTimeout = 5 * time.Second
	// adminWriteTimeout leaves time for a profile of half a minute.
	adminWriteTimeout = time.Minute
	// maxReason bounds what a failed check says.
	maxReason = 300
)

// Check is one thing that must be well for the process to be ready.
type Check struct {
	// Name stands for it in the answer of the readiness probe.
	Name string
	// Probe returns nil when it is well. It is called with a deadline of a
	// second, never more than once at a time, and not waited for longer.
	Probe func(ctx context.Context) error
	// Advisory is reported and does not decide: the process can do its work
	// without.
	Advisory bool
}

// Registry is where metrics are registered and gathered.
type Registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// Admin answers operators: /livez, /readyz, /metrics and, if configured,
// /debug/pprof.
type Admin struct {
	web      *web // nil when there is no address
	checks   []adminCheck
	draining atomic.Bool
}

type adminCheck struct {
	name     string
	advisory bool
	*Probe
}

// NewAdmin returns an admin listener over checks and what reg gathers, and
// registers eventpulse_ready with it: what the readiness probe would say at the
// moment it is gathered, for which it asks the checks. It binds nothing yet. Without
// an address it serves nothing, and its methods do no more than wait.
func NewAdmin(cfg AdminConfig, checks []Check, reg Registry, log *slog.Logger) (*Admin, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Admin{}
	for _, c := range checks {
		a.checks = append(a.checks, adminCheck{c.Name, c.Advisory, NewProbe(c.Probe)})
	}
	a.registerReady(reg)
	if cfg.Addr == "" {
		return a, nil
	}
	srv := httpServer(a.routes(cfg, reg, log), log)
	srv.ReadHeaderTimeout = adminReadTimeout
	srv.ReadTimeout = adminReadTimeout
	srv.WriteTimeout = adminWriteTimeout
	srv.MaxHeaderBytes = 2 * headerSlop
	a.web = &web{
		addr:     cfg.Addr,
		http:     srv,
		ln:       &listener{maxHead: 4 * headerSlop},
		shutdown: adminShutdownTimeout,
		drain:    a.Drain,
	}
	return a, nil
}

// Drain makes the readiness probe fail from now on, before anything else is
// done about the end.
func (a *Admin) Drain() { a.draining.Store(true) }

// Listen binds the address. It does nothing when that is done already.
func (a *Admin) Listen() error {
	if a.web == nil {
		return nil
	}
	return a.web.listen()
}

// Addr returns the address bound, "" before [Admin.Listen] or without one.
func (a *Admin) Addr() string {
	if a.web == nil {
		return ""
	}
	return a.web.boundAddr()
}

// Serve serves, after [Admin.Listen] if need be, until ctx ends. It should
// outlast what the probes are about, so that they can report its end.
func (a *Admin) Serve(ctx context.Context) error {
	if a.web == nil {
		<-ctx.Done()
		return nil
	}
	if err := a.web.serve(ctx); err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	return nil
}

// Close cuts every connection and gives the address up.
func (a *Admin) Close() error {
	if a.web == nil {
		return nil
	}
	return a.web.close()
}

func (a *Admin) routes(cfg AdminConfig, gatherer prometheus.Gatherer, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
		// One broken collector must not hide the others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             adminWriteTimeout / 2,
	}))
	if cfg.Pprof {
		// Not the command line: flags may hold passwords.
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r); c != nil && !c.begin(r, false) {
			w.Header().Set("Connection", "close")
			text(w, http.StatusBadRequest, "contradictory framing\n")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func text(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A probe that hung up is not interested.
	_, _ = io.WriteString(w, body)
}
