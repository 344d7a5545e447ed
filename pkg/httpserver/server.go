package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Server answers clients with the handlers mounted on it. Its methods may be
// called concurrently, save [Server.Mount].
type Server struct {
	cfg       Config
	log       *slog.Logger
	router    *echo.Echo
	routes    map[string][]*route // by their path in the router
	noRoute   *route              // stands for what is not mounted
	bodies    map[int64]*bodies   // by their limit
	inFlight  budget              // requests with a body
	bodyBytes budget
	metrics   *metrics
	draining  atomic.Bool
	web       *web
	// certificate is nil without TLS.
	certificate *certificate
	clientIP    echo.IPExtractor // nil when no proxy is trusted
	// streams ends when streaming answers must.
	streams context.Context
	// clientErrors and serverErrors bound the log lines of 4xx and 5xx answers.
	clientErrors, serverErrors throttle
}

// errDraining is what [Server.Ready] says once the end has begun.
var errDraining = errors.New("draining")

// New returns a server with nothing mounted. It binds nothing yet.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:          cfg,
		log:          log,
		routes:       make(map[string][]*route),
		bodies:       make(map[int64]*bodies),
		inFlight:     budget{limit: int64(cfg.MaxInFlight)},
		bodyBytes:    budget{limit: cfg.MaxInFlightBytes},
		clientErrors: throttle{perSecond: linesPerSecond},
		serverErrors: throttle{perSecond: linesPerSecond},
	}
	ln := &listener{rejection: s.rejection, maxHead: cfg.MaxHeaderBytes + headerSlop}
	s.metrics = newMetrics(reg, &s.inFlight.held, &s.bodyBytes.held, &ln.open)
	s.noRoute = &route{pattern: "none", maxBody: cfg.MaxBodyBytes, metrics: s.metrics.of("none")}
	s.router = s.newRouter()
	var err error
	if s.clientIP, err = extractor(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	if cfg.TLS.Cert != "" {
		if s.certificate, err = newCertificate(cfg.TLS, log, s.metrics); err != nil {
			return nil, err
		}
		ln.tls = newHandshakes(s.certificate.config(), cfg.ReadHeaderTimeout, s.metrics.handshakeErrors)
	}
	var endStreams context.CancelFunc
	s.streams, endStreams = context.WithCancel(context.Background())

	srv := httpServer(s.router, log)
	srv.ReadHeaderTimeout = cfg.ReadHeaderTimeout
	srv.ReadTimeout = cfg.ReadTimeout
	srv.WriteTimeout = cfg.WriteTimeout
	srv.IdleTimeout = cfg.IdleTimeout
	srv.MaxHeaderBytes = cfg.MaxHeaderBytes - headerSlop
	s.web = &web{
		addr:       cfg.Addr,
		http:       srv,
		ln:         ln,
		drainDelay: cfg.DrainDelay,
		shutdown:   cfg.ShutdownTimeout,
		drain:      func() { s.draining.Store(true) },
		endStreams: endStreams,
	}
	return s, nil
}

func (s *Server) newRouter() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(s.serve)
	return e
}

// bodiesOf returns what reads bodies of up to limit bytes.
func (s *Server) bodiesOf(limit int64) *bodies {
	if s.bodies[limit] == nil {
		s.bodies[limit] = newBodies(limit)
	}
	return s.bodies[limit]
}

// writeTimeout returns the write time-out of a route.
func (s *Server) writeTimeout(r *route) time.Duration {
	if r.writeTimeout > 0 {
		return r.writeTimeout
	}
	return s.cfg.WriteTimeout
}

// Listen binds the address. It does nothing when that is done already.
func (s *Server) Listen() error { return s.web.listen() }

// Addr returns the address bound, "" before [Server.Listen].
func (s *Server) Addr() string { return s.web.boundAddr() }

// Serve serves, after [Server.Listen] if need be, until ctx ends. Then
// [Server.Ready] fails; for the drain delay everything is still answered, with
// Connection: close; the listener is closed, requests in flight are answered,
// and Serve returns nil. Connections still busy at the shutdown time-out are
// cut, which is an error. A server serves once.
func (s *Server) Serve(ctx context.Context) error {
	if err := s.web.serve(ctx); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// Close cuts every connection and gives the address up. It is for a server
// that was bound and will not be served, or must end at once.
func (s *Server) Close() error { return s.web.close() }

// Ready is a [Check]'s probe: it fails once the server has begun to drain.
func (s *Server) Ready(context.Context) error {
	if s.draining.Load() {
		return errDraining
	}
	return nil
}
