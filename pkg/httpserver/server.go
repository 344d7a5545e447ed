package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// Ingester takes request bodies. When a method returns without an error,
// every event of the body is safe; an error is answered by its kind (see
// package event). The body may be kept for as long as it is needed. Methods
// are called concurrently, with a context that outlives the connection, and
// bound their own time.
type Ingester interface {
	// One takes a body that is one event and returns the event's id.
	One(ctx context.Context, body string) (uuid.UUID, error)
	// Batch takes a body that is an array of events and returns their ids
	// in the same order.
	Batch(ctx context.Context, body string) ([]uuid.UUID, error)
}

// Server answers producers.
type Server struct {
	cfg      Config
	in       Ingester
	log      *slog.Logger
	ping     *probe
	bodies   *bodies
	inFlight budget // POST requests
	room     budget // bytes of bodies
	metrics  *metrics
	buffers  sync.Pool // of *[]byte, for answers
	draining atomic.Bool
	web      *web
	// refusals and faults bound the log lines of 4xx and of 5xx answers.
	refusals, faults throttle
}

// errDraining is what [Server.Ready] says once the end has begun.
var errDraining = errors.New("draining")

// New returns a server that gives request bodies to in and reports on Redis
// by ping. It binds nothing yet.
func New(cfg Config, in Ingester, ping func(ctx context.Context) error, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		in:       in,
		log:      log,
		ping:     &probe{check: ping},
		inFlight: budget{limit: int64(cfg.MaxInFlight)},
		room:     budget{limit: cfg.MaxInFlightBytes},
		refusals: throttle{perSecond: linesPerSecond},
		faults:   throttle{perSecond: linesPerSecond},
	}
	s.buffers.New = func() any { return new([]byte) }
	var err error
	if s.bodies, err = newBodies(cfg.MaxBodyBytes); err != nil {
		return nil, err
	}
	edge := &edge{refusal: s.refusal, maxHead: cfg.MaxHeaderBytes + headerSlop}
	if s.metrics, err = newMetrics(reg, &s.inFlight.held, &s.room.held, &edge.open); err != nil {
		return nil, err
	}
	srv := httpServer(s.routes(), log)
	srv.ReadHeaderTimeout = cfg.ReadHeaderTimeout
	srv.ReadTimeout = cfg.ReadTimeout
	srv.WriteTimeout = cfg.WriteTimeout
	srv.IdleTimeout = cfg.IdleTimeout
	srv.MaxHeaderBytes = cfg.MaxHeaderBytes - headerSlop
	s.web = &web{
		addr:       cfg.Addr,
		http:       srv,
		edge:       edge,
		drainDelay: cfg.DrainDelay,
		shutdown:   cfg.ShutdownTimeout,
		drain:      func() { s.draining.Store(true) },
	}
	return s, nil
}

// Listen binds the address. It does nothing when that is done already.
func (s *Server) Listen() error { return s.web.listen() }

// Addr returns the address bound, "" before [Server.Listen].
func (s *Server) Addr() string { return s.web.bound() }

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

// routes returns the API.
func (s *Server) routes() http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	// No forwarded address is believed.
	e.IPExtractor = echo.ExtractIPDirect()
	e.Use(s.observe)
	e.POST(routePaths[routeEvents], s.post(s.one))
	e.POST(routePaths[routeBatch], s.post(s.batch))
	e.GET(routePaths[routeHealth], s.health)
	e.HEAD(routePaths[routeHealth], s.health)
	return e
}
