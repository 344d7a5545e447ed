// Package env runs EventPulse as its operators do, as processes of their
// own with a real Redis and a real PostgreSQL, and with something between them
// that can inject faults.
//
//	serve ── ServeRedis ── Redis ── WorkRedis ── work ── Database ── PostgreSQL
package env

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/proxy"
	"github.com/eventpulse/eventpulse/test/servers"
)

// ApplicationName tells sessions of the harness from those of EventPulse.
const ApplicationName = "chaos"

// Config is what an environment is made of.
type Config struct {
	Binary *Binary
	Dir    string // made, and left behind
	// Workers is how many work processes run, named work-1 and so on.
	Workers int
	// PipedLogs makes the processes log to a reader that may stall or go.
	PipedLogs bool
	// Settings are those of EventPulse, by key, on top of the environment's own.
	Settings map[string]string

	RedisArgs        []string
	PostgresSettings []string
	RedisAbsent      bool // Redis is not started
	Clock            bool // the servers' wall clock can be set wrong

	// Bytes of a disk of its own for a directory; none when zero.
	SpoolDisk, RedisDisk, PostgresDisk, TableDisk int64
}

// DefaultConfig returns one serve, one worker and servers that lose nothing
// when they are killed.
func DefaultConfig() Config {
	return Config{
		Workers:   1,
		Settings:  map[string]string{"worker.claim_after": "10s"},
		RedisArgs: []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--enable-debug-command", "local"},
	}
}

// Environment is everything that runs. Fields are for faults to inject faults with.
type Environment struct {
	Config   Config
	Redis    *servers.RedisServer
	Postgres *servers.PostgresServer
	Clock    *Clock

	ServeRedis, WorkRedis, Database *proxy.Proxy

	Serve   *Child
	Workers []*Child
	// API and the admin addresses, as http://host:port.
	API        string
	ServeAdmin string
	WorkAdmin  []string

	// DB is a way into PostgreSQL past the proxy.
	DB       *sql.DB
	SpoolDir string

	SpoolDisk, RedisDisk, PostgresDisk, TableDisk *Disk

	cleanups []func() error
}

// Open starts an environment and returns once it is ready. What was started is ended
// when it fails, and by Close otherwise.
func Open(ctx context.Context, cfg Config) (_ *Environment, err error) {
	s := &Environment{Config: cfg, SpoolDir: filepath.Join(cfg.Dir, "spool")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for key := range cfg.Settings {
		if cfg.Binary.settings[key] == "" {
			return nil, fmt.Errorf("%w: the binary has no setting %s", ErrNotHere, key)
		}
	}
	if err := os.MkdirAll(cfg.Dir, 0o711); err != nil {
		return nil, fmt.Errorf("make environment: %w", err)
	}
	for _, step := range []func(context.Context) error{s.makeDisks, s.startServers, s.startProxies, s.migrate, s.startChildren} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// onClose registers what ends something that was just begun.
func (s *Environment) onClose(f func() error) { s.cleanups = append(s.cleanups, f) }

// Close ends everything, last things first.
func (s *Environment) Close() error {
	var errs []error
	for _, v := range slices.Backward(s.cleanups) {
		errs = append(errs, v())
	}
	s.cleanups = nil
	return errors.Join(errs...)
}

func (s *Environment) makeDisks(context.Context) error {
	for _, d := range []struct {
		disk  **Disk
		dir   string
		bytes int64
		mode  os.FileMode
	}{
		{&s.SpoolDisk, s.SpoolDir, s.Config.SpoolDisk, 0o700},
		{&s.RedisDisk, filepath.Join(s.Config.Dir, "redis", "data"), s.Config.RedisDisk, 0o700},
		{&s.PostgresDisk, filepath.Join(s.Config.Dir, "postgres", "data"), s.Config.PostgresDisk, 0o700},
		{&s.TableDisk, filepath.Join(s.Config.Dir, "table"), s.Config.TableDisk, 0o711},
	} {
		if d.bytes == 0 {
			continue
		}
		// Parents are passed by PostgreSQL's user.
		if err := os.MkdirAll(filepath.Dir(d.dir), 0o755); err != nil {
			return fmt.Errorf("make mount point: %w", err)
		}
		disk, err := newDisk(d.dir, d.bytes, d.mode)
		if err != nil {
			return err
		}
		*d.disk = disk
		s.onClose(disk.close)
	}
	return os.MkdirAll(s.SpoolDir, 0o700)
}

func (s *Environment) startServers(context.Context) error {
	create := func() (err error) {
		if s.Redis, err = servers.NewRedis(filepath.Join(s.Config.Dir, "redis"), s.Config.RedisArgs...); err != nil {
			return err
		}
		s.onClose(s.Redis.Close)
		s.Postgres, err = servers.NewPostgres(filepath.Join(s.Config.Dir, "postgres"), s.Config.PostgresSettings...)
		if err == nil {
			s.onClose(s.Postgres.Close)
		}
		return err
	}
	if s.Config.Clock {
		if err := s.makeClock(); err != nil {
			return err
		}
		if err := s.Clock.first(create); err != nil {
			return err
		}
	} else if err := create(); err != nil {
		return err
	}
	if !s.Config.RedisAbsent {
		if err := s.Redis.Start(); err != nil {
			return err
		}
	}
	if err := s.Postgres.Start(); err != nil {
		return err
	}
	s.DB = sql.OpenDB(pgdriver.NewConnector(
		pgdriver.WithDSN(s.Postgres.URL()), pgdriver.WithApplicationName(ApplicationName), pgdriver.WithTimeout(2*time.Minute)))
	s.onClose(s.DB.Close)
	return nil
}

func (s *Environment) makeClock() error {
	var programs []string
	for _, name := range []string{"redis-server", "postgres"} {
		path, err := exec.LookPath(name)
		if err == nil {
			programs = append(programs, path)
			continue
		}
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(found) == 0 {
			return fmt.Errorf("%w: %s is not there", ErrNotHere, name)
		}
		programs = append(programs, found[len(found)-1])
	}
	var err error
	s.Clock, err = newClock(filepath.Join(s.Config.Dir, "clock"), programs...)
	return err
}

func (s *Environment) startProxies(context.Context) error {
	for _, p := range []struct {
		proxy  **proxy.Proxy
		target string
	}{{&s.ServeRedis, s.Redis.Addr()}, {&s.WorkRedis, s.Redis.Addr()}, {&s.Database, s.Postgres.Addr()}} {
		proxy, err := proxy.NewProxy(p.target)
		if err != nil {
			return err
		}
		*p.proxy = proxy
		s.onClose(proxy.Close)
	}
	return nil
}

// migrate makes the schema as an operator does.
func (s *Environment) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Config.Binary.Path, "migrate", "up")
	cmd.Env = s.environment("migrate", s.WorkRedis, nil)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate up: %w: %s", err, out)
	}
	if s.TableDisk == nil {
		return nil
	}
	if err := s.Postgres.Own(s.TableDisk.dir); err != nil {
		return fmt.Errorf("give disk to PostgreSQL: %w", err)
	}
	for _, query := range []string{
		"CREATE TABLESPACE small LOCATION '" + s.TableDisk.dir + "'",
		"ALTER TABLE events SET TABLESPACE small",
	} {
		if _, err := s.DB.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("move table to the small disk: %w", err)
		}
	}
	return nil
}

func (s *Environment) startChildren(ctx context.Context) error {
	for i := range s.Config.Workers {
		name := fmt.Sprintf("work-%d", i+1)
		child, admin, err := s.newWork(name)
		if err != nil {
			return err
		}
		s.Workers, s.WorkAdmin = append(s.Workers, child), append(s.WorkAdmin, admin)
	}
	var err error
	if s.Serve, s.API, s.ServeAdmin, err = s.newServe("serve"); err != nil {
		return err
	}
	for _, c := range append([]*Child{s.Serve}, s.Workers...) {
		if s.Config.PipedLogs {
			if err := c.pipeLog(); err != nil {
				return err
			}
			// Before the child is removed, for clean-ups run backwards.
			s.onClose(func() error { return c.logs.w.Close() })
		}
		if err := c.Start(); err != nil {
			return err
		}
	}
	return s.awaitReady(ctx)
}

func (s *Environment) newServe(name string) (_ *Child, api, admin string, err error) {
	if api, err = servers.ReserveAddr(); err != nil {
		return nil, "", "", err
	}
	if admin, err = servers.ReserveAddr(); err != nil {
		return nil, "", "", err
	}
	env := s.environment(name, s.ServeRedis, map[string]string{"http.addr": api, "admin.addr": admin, "spool.dir": s.SpoolDir})
	return s.newChild(name, env, "serve"), "http://" + api, "http://" + admin, nil
}

func (s *Environment) newWork(name string) (*Child, string, error) {
	admin, err := servers.ReserveAddr()
	if err != nil {
		return nil, "", err
	}
	env := s.environment(name, s.WorkRedis, map[string]string{"admin.addr": admin, "worker.consumer": name})
	return s.newChild(name, env, "work"), "http://" + admin, nil
}

func (s *Environment) newChild(name string, env []string, args ...string) *Child {
	c := newChild(name, filepath.Join(s.Config.Dir, name+".log"), env, append([]string{s.Config.Binary.Path}, args...)...)
	s.onClose(func() error { c.Remove(); return nil })
	return c
}

// SecondServe returns a serve that has not been started, on the spool of the
// first, and its admin address.
func (s *Environment) SecondServe() (second *Child, admin string, err error) {
	second, _, admin, err = s.newServe("serve-2")
	return second, admin, err
}

// environment configures a process. Settings that the binary does not know
// are left out: it would refuse them.
func (s *Environment) environment(name string, redis *proxy.Proxy, own map[string]string) []string {
	database := url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: s.Database.Addr(), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	settings := map[string]string{
		"redis.url": "redis://" + redis.Addr(), "database.url": database.String(),
		"log.format": "json", "log.level": "info",
	}
	for _, more := range []map[string]string{s.Config.Settings, own} {
		maps.Copy(settings, more)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Config.Dir, "TZ=UTC", "GOTRACEBACK=all",
		"GORACE=halt_on_error=1", fault.DirVariable + "=" + s.faultDir(name),
	}
	for key, value := range settings {
		if variable := s.Config.Binary.settings[key]; variable != "" {
			env = append(env, variable+"="+value)
		}
	}
	return env
}

func (s *Environment) faultDir(name string) string {
	return filepath.Join(s.Config.Dir, "faults", name)
}
