package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/persist"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

const (
	// devFile is the database of the one-process mode, in its directory.
	devFile = "eventpulse.db"
	// devDrain is the longest that the end waits for accepted events to be
	// stored.
	devDrain = 3 * time.Second
)

// Dev is the whole pipeline in one process: serve and work as they are, a
// Redis in memory between them, and a SQLite database in a file.
type Dev struct {
	out     io.Writer
	log     *slog.Logger
	path    string
	stream  *stream.Client
	serve   *Serve
	work    *Work
	cleanup cleanup
}

// NewDev makes dir and the database in it, brings its schema up to date and
// binds the addresses. Out gets what a person wants to see.
func NewDev(ctx context.Context, cfg config.Config, dir string, out io.Writer, log *slog.Logger) (_ *Dev, err error) {
	d := &Dev{out: out, log: log, path: filepath.Join(dir, devFile)}
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
	d.serve, err = NewServe(cfg, log)
	if err != nil {
		return nil, err
	}
	d.cleanup.add("serve role", func() error { return d.serve.cleanup.run() })

	// There is one admin listener, serve's: it tells of serve.
	cfg.Admin.Addr = ""
	d.work, err = newWork(cfg, log, newRegistry(), func(s persist.Store) persist.Store { return &printingStore{s, out} })
	if err != nil {
		return nil, err
	}
	d.cleanup.add("work role", func() error { return d.work.cleanup.run() })
	d.stream, err = stream.New(cfg.Redis, cfg.Stream, log, nil)
	if err != nil {
		return nil, err
	}
	d.cleanup.add("stream", func() error { d.stream.Close(); return nil })
	return d, nil
}

// Addr is where producers are served, host:port.
func (d *Dev) Addr() string { return d.serve.Addr() }

// Run runs the pipeline until ctx ends, then stores what was accepted.
func (d *Dev) Run(ctx context.Context) error {
	d.greet()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	var serveErr, workErr error
	var serving, storing sync.WaitGroup
	serving.Go(func() { defer cancel(); serveErr = d.serve.Run(ctx) })
	storing.Go(func() { defer cancel(); workErr = d.work.Run(working) })
	<-ctx.Done()
	fmt.Fprintln(d.out, "\nStopping: storing what was accepted …")
	serving.Wait()
	d.drain(working)
	stopWork()
	storing.Wait()
	return errors.Join(serveErr, workErr, d.cleanup.run())
}

// drain waits until nothing is left on the stream to be stored.
func (d *Dev) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, devDrain)
	defer cancel()
	for ctx.Err() == nil {
		stats, err := d.stream.Stats(ctx)
		if err == nil && stats.Backlog == 0 && stats.Pending == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	fmt.Fprintln(d.out, "Not everything that was accepted could be stored in time.")
}

func (d *Dev) greet() {
	base := "http://" + reachable(d.serve.Addr())
	admin := "none"
	if addr := d.serve.AdminAddr(); addr != "" {
		admin = "http://" + reachable(addr) + "/readyz and /metrics"
	}
	fmt.Fprintf(d.out, `EventPulse is running: everything in this process, nothing else needed.

  API       %s/api/v1/events
  database  %s (SQLite)
  admin     %s

Post an event from another terminal:

  curl -i %s/api/v1/events \
    -H 'Content-Type: application/json' \
    -d '{"event_type":"page_view","source":"web","timestamp":"%s","payload":{"page":"/pricing"}}'

Every event that is stored is printed below. Ctrl-C stops.

`, base, d.path, admin, base, time.Now().UTC().Format(time.RFC3339))
}

// reachable turns an address that is listened on into one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
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

// printingStore prints each event that is stored for the first time.
type printingStore struct {
	persist.Store
	out io.Writer
}

// Insert implements [persist.Store].
func (p *printingStore) Insert(ctx context.Context, events []event.Event) (event.Inserted, error) {
	inserted, err := p.Store.Insert(ctx, events)
	if err != nil {
		return event.Inserted{}, err
	}
	for i, e := range events {
		verb := "stored"
		if _, ok := slices.BinarySearch(inserted.Duplicates, i); ok {
			verb = "already stored"
		} else if _, ok := slices.BinarySearch(inserted.Dropped, i); ok {
			verb = "dropped by the database"
		}
		// One call a line: batches print concurrently.
		fmt.Fprintf(p.out, "%s  %s  %q from %q at %s\n", verb, e.ID, e.Type, e.Source, e.Timestamp.Format(time.RFC3339Nano))
	}
	return inserted, nil
}
