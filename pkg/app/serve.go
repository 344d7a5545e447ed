package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/api/ingestion"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/httpserver"
	"github.com/eventpulse/eventpulse/pkg/ingest"
	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// Serve is the role that accepts events.
type Serve struct {
	log      *slog.Logger
	shutdown time.Duration
	http     *httpserver.Server
	admin    *httpserver.Admin
	inspect  func(context.Context) (stream.Info, error)
	producer *stream.Producer
	spool    *spool.Spool // nil when there is none
	ingest   *ingest.Service
	cleanup  cleanup
}

// NewServe wires the role and binds its addresses, so that a port that is
// taken is known at once; it waits for nothing else. What it returns must be
// run.
func NewServe(cfg config.Config, log *slog.Logger, instruments ...Instrument) (*Serve, error) {
	return newServe(cfg, log, instrumented(instruments))
}

func newServe(cfg config.Config, log *slog.Logger, reg httpserver.Registry) (_ *Serve, err error) {
	s := &Serve{log: log, shutdown: cfg.HTTP.ShutdownTimeout}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.cleanup.run())
		}
	}()

	redis, group, err := openStream(cfg, log, reg)
	if err != nil {
		return nil, err
	}
	s.cleanup.add("redis", func() error { redis.Close(); return nil })
	exportStats(group)
	s.inspect = inspector(group)
	s.producer, err = stream.NewProducer(group.Partition(), cfg.Stream, group)
	if err != nil {
		return nil, err
	}
	s.cleanup.add("stream", func() error { s.producer.Close(); return nil })

	var publisher ingest.Publisher = s.producer
	ready := httpserver.Check{Name: "stream", Probe: s.producer.Check}
	if cfg.Spool.Dir != "" {
		s.spool, err = spool.Open(cfg.Spool, s.producer, log, reg)
		if err != nil {
			return nil, fmt.Errorf("%w (spool.dir names its directory; empty does without, and answers 503 while Redis is away)", err)
		}
		s.cleanup.add("spool", s.spool.Close)
		publisher = s.spool
		ready = httpserver.Check{Name: "spool", Probe: s.spool.Check}
	}
	s.ingest, err = ingest.New(cfg.Ingest, publisher, log, reg)
	if err != nil {
		return nil, err
	}
	s.http, err = httpserver.New(cfg.HTTP, log, reg)
	if err != nil {
		return nil, err
	}
	ingestion.New(s.ingest, cfg.Ingest.Limits, s.accepting(redis.Ping), redis.Ping).Mount(s.http)
	s.admin, err = httpserver.NewAdmin(cfg.Admin, []httpserver.Check{
		{Name: "http", Probe: s.http.Ready},
		ready,
		// With a spool, events are accepted whether Redis answers or not.
		{Name: "redis", Probe: redis.Ping, Advisory: s.spool != nil},
	}, reg, log)
	if err != nil {
		return nil, err
	}
	if err := s.http.Listen(); err != nil {
		return nil, fmt.Errorf("http.addr: %w", err)
	}
	s.cleanup.add("http listener", s.http.Close)
	if err := s.admin.Listen(); err != nil {
		return nil, fmt.Errorf("admin.addr: %w", err)
	}
	s.cleanup.add("admin listener", s.admin.Close)
	return s, nil
}

// accepting returns a check of what a 202 promises: that events get onto the
// stream, or else into the spool. It is asked by load balancers on the traffic
// port, and readiness is stricter: a spool whose disk has failed wants a restart,
// and takes nothing from what the stream accepts until then.
func (s *Serve) accepting(ping func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := s.producer.Check(ctx)
		switch {
		case s.spool == nil:
			return errors.Join(err, ping(ctx))
		case err == nil:
			return nil
		default:
			return s.spool.Check(ctx)
		}
	}
}

// Addr is where producers are served, host:port.
func (s *Serve) Addr() string { return s.http.Addr() }

// AdminAddr is where probes and metrics are, host:port; "" when nowhere.
func (s *Serve) AdminAddr() string { return s.admin.Addr() }

// Run serves until ctx ends, then drains: readiness fails, requests that have
// begun are answered, and what they accepted is published.
func (s *Serve) Run(ctx context.Context) error {
	s.log.Info("serving", "http", s.Addr(), "admin", s.AdminAddr())
	err := withAdmin(ctx, s.admin, s.log, func(ctx context.Context) error {
		// The group is kept, and the spool drained, for as long as events may
		// be published.
		keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
		var background sync.WaitGroup
		background.Go(func() { s.producer.Run(keeping) })
		background.Go(func() { warnOfDataLoss(keeping, s.inspect, s.log) })
		if s.spool != nil {
			background.Go(func() { s.spool.Run(keeping) })
		}
		defer background.Wait()
		defer stop()

		err := s.http.Serve(ctx)
		// Events that only wait in memory, with ingest.ack none, get as long as
		// the requests had.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.shutdown)
		defer cancel()
		return errors.Join(err, s.ingest.Close(closing))
	})
	err = errors.Join(err, s.cleanup.run())
	s.log.Info("stopped serving")
	return err
}
