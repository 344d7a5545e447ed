package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
	"github.com/eventpulse/eventpulse/pkg/persist"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

const (
	// devFile is the database of the one-process mode, in its directory.
	devFile = "eventpulse.db"
	// devDrain is the longest that the end waits for accepted events to be
	// stored, and devPoll how often it looks.
	devDrain = 3 * time.Second
	devPoll  = 20 * time.Millisecond
)

// errNotDrained is the error of a one-process pipeline that ended too soon.
var errNotDrained = errors.New("not everything that was accepted could be stored in time")

// Observer is called with events that a batch has stored, and with what the
// database made of each. It is called by several goroutines at once, before the
// events are acknowledged, so it must not block.
type Observer func(events []event.Event, inserted event.Inserted)

// Dev is the whole pipeline in one process: serve and work as they are, a
// Redis in memory between them, and a SQLite database in a file.
type Dev struct {
	path    string
	group   *stream.Group
	serve   *Serve
	work    *Work
	cleanup cleanup
}

// NewDev creates dir and the database in it, brings its schema up to date and
// binds the addresses. Every event that is stored is shown to observe. What it
// returns must be run.
func NewDev(ctx context.Context, cfg config.Config, dir string, observe Observer, log *slog.Logger, instruments ...Instrument) (_ *Dev, err error) {
	d := &Dev{path: filepath.Join(dir, devFile)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.cleanup.run())
		}
	}()

	redis := miniredis.NewMiniRedis()
	if err := redis.Start(); err != nil {
		return nil, fmt.Errorf("start the Redis in memory: %w", err)
	}
	d.cleanup.add("Redis in memory", func() error { redis.Close(); return nil })
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	cfg.Redis.URL = "redis://" + redis.Addr()
	cfg.Database.URL = "sqlite:" + d.path
	cfg.Spool.Dir = ""      // The Redis in memory is never away.
	cfg.HTTP.DrainDelay = 0 // There is no load balancer to take notice.

	if err := migrate(ctx, cfg, log); err != nil {
		return nil, err
	}
	d.serve, err = NewServe(cfg, log, instruments...)
	if err != nil {
		return nil, err
	}
	d.cleanup.add("serve role", func() error { return d.serve.cleanup.run() })

	// There is one admin listener, that of serve.
	cfg.Admin.Addr = ""
	d.work, err = newWork(cfg, log, newRegistry(), observe)
	if err != nil {
		return nil, err
	}
	d.cleanup.add("work role", func() error { return d.work.cleanup.run() })
	conn, group, err := openStream(cfg, log, nil)
	if err != nil {
		return nil, err
	}
	d.cleanup.add("redis", func() error { conn.Close(); return nil })
	d.group = group
	return d, nil
}

// Addr is where producers are served, host:port.
func (d *Dev) Addr() string { return d.serve.Addr() }

// AdminAddr is where probes and metrics are, host:port; "" when nowhere.
func (d *Dev) AdminAddr() string { return d.serve.AdminAddr() }

// DatabasePath is the file of the database.
func (d *Dev) DatabasePath() string { return d.path }

// Run runs the pipeline until ctx ends, then stores what was accepted. The
// error says so when that was not possible in time.
func (d *Dev) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	var serveErr, workErr error
	var serving, storing sync.WaitGroup
	serving.Go(func() { defer cancel(); serveErr = d.serve.Run(ctx) })
	storing.Go(func() { defer cancel(); workErr = d.work.Run(working) })
	<-ctx.Done()
	serving.Wait()
	drainErr := d.drain(working)
	stopWork()
	storing.Wait()
	return errors.Join(serveErr, workErr, drainErr, d.cleanup.run())
}

// drain waits until nothing is left on the stream to be stored.
func (d *Dev) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, devDrain)
	defer cancel()
	inspector := stream.NewInspector(d.group.Partition())
	for {
		stats, err := inspector.Stats(ctx, d.group.Name())
		if err == nil && stats.Backlog == 0 && stats.Pending == 0 {
			return nil
		}
		if retry.Sleep(ctx, devPoll) != nil {
			return errNotDrained
		}
	}
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	db, err := store.Open(cfg.Database, log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.MigrateUp(ctx)
	return err
}

// observedStore shows an observer what was stored.
type observedStore struct {
	persist.Store
	observe Observer
}

// Insert implements [persist.Store].
func (s *observedStore) Insert(ctx context.Context, events []event.Event) (event.Inserted, error) {
	inserted, err := s.Store.Insert(ctx, events)
	if err == nil {
		s.observe(events, inserted)
	}
	return inserted, err
}
