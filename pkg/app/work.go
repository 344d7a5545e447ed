package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/httpserver"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
	"github.com/eventpulse/eventpulse/pkg/persist"
	"github.com/eventpulse/eventpulse/pkg/store"
)

// Work is the role that stores events.
type Work struct {
	cfg      consumer.Config
	log      *slog.Logger
	store    *store.Store
	consumer *consumer.Consumer
	admin    *httpserver.Admin
	cleanup  cleanup
}

// NewWork wires the role and binds its admin address; it waits for nothing
// else. What it returns must be run.
func NewWork(cfg config.Config, log *slog.Logger, instruments ...Instrument) (*Work, error) {
	return newWork(cfg, log, instrumented(instruments), nil)
}

// newWork registers the metrics in reg, and shows what is stored to observe
// unless that is nil.
func newWork(cfg config.Config, log *slog.Logger, reg httpserver.Registry, observe Observer) (_ *Work, err error) {
	w := &Work{cfg: cfg.Worker, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.cleanup.run())
		}
	}()
	if w.cfg.Consumer == "" {
		if w.cfg.Consumer, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("name the consumer after this host (worker.consumer sets another name): %w", err)
		}
	}

	redis, group, err := openStream(cfg, log, reg)
	if err != nil {
		return nil, err
	}
	w.cleanup.add("redis", func() error { redis.Close(); return nil })
	exportStats(group)
	w.store, err = store.Open(cfg.Database, log, reg)
	if err != nil {
		return nil, err
	}
	w.cleanup.add("database", w.store.Close)

	var db persist.Store = w.store
	if observe != nil {
		db = &observedStore{db, observe}
	}
	handler := persist.New(db, log, reg)
	w.consumer = consumer.New(w.cfg, []consumer.Source{group}, handler, log, reg)
	w.admin, err = httpserver.NewAdmin(cfg.Admin, []httpserver.Check{
		{Name: "redis", Probe: redis.Ping},
		{Name: "database", Probe: w.store.Ping},
		{Name: "schema", Probe: w.store.CheckSchema},
		{Name: "progress", Probe: func(context.Context) error { return w.consumer.Progress() }},
	}, reg, log)
	if err != nil {
		return nil, err
	}
	if err := w.admin.Listen(); err != nil {
		return nil, fmt.Errorf("admin.addr: %w", err)
	}
	w.cleanup.add("admin listener", w.admin.Close)
	return w, nil
}

// AdminAddr is where probes and metrics are, host:port; "" when nowhere.
func (w *Work) AdminAddr() string { return w.admin.Addr() }

// Run stores events until ctx ends, then finishes the batches in progress. It
// waits for a database that is away, and for a schema that is behind, unless
// worker.wait_for_schema says to fail instead.
func (w *Work) Run(ctx context.Context) error {
	w.log.Info("working", "admin", w.AdminAddr())
	err := withAdmin(ctx, w.admin, w.log, func(ctx context.Context) error {
		if err := w.awaitSchema(ctx); err != nil {
			return err
		}
		if ctx.Err() == nil {
			w.consumer.Run(ctx)
		}
		return nil
	})
	err = errors.Join(err, w.cleanup.run())
	w.log.Info("stopped working")
	return err
}

// awaitSchema returns when the schema is what the worker writes to, or ctx has
// ended. Nothing is read from the stream before: it could not be stored.
func (w *Work) awaitSchema(ctx context.Context) error {
	pauses := retry.Between(100*time.Millisecond, 5*time.Second)
	for {
		err := w.store.CheckSchema(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, store.ErrSchemaBehind) && !w.cfg.WaitForSchema {
			return err
		}
		wait := pauses.Next()
		w.log.Warn("waiting for the database schema", "error", err, "wait", wait)
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}
