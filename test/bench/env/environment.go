// Package env runs what is measured: the program in its roles, as processes of
// their own, with a real Redis and a real PostgreSQL, and nothing between them.
package env

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/eventpulse/eventpulse/test/process"
	"github.com/eventpulse/eventpulse/test/servers"
)

const stopLimit = 30 * time.Second

// Programs are the programs under test.
type Programs struct {
	EventPulse string
	Baseline   string // the bare HTTP server, see test/bench/baseline
}

// Build builds the programs into dir, EventPulse as it is released; eventpulse
// is the path of one that is built already, or empty.
func Build(ctx context.Context, dir, eventpulse string) (Programs, error) {
	root, err := ModuleRoot(ctx)
	if err != nil {
		return Programs{}, err
	}
	p := Programs{EventPulse: filepath.Join(dir, "eventpulse"), Baseline: filepath.Join(dir, "limit")}
	builds := map[string]string{p.EventPulse: ".", p.Baseline: "./test/bench/baseline"}
	if eventpulse != "" {
		delete(builds, p.EventPulse)
		if p.EventPulse, err = filepath.Abs(eventpulse); err != nil {
			return Programs{}, fmt.Errorf("find the program: %w", err)
		}
	}
	for path, pkg := range builds {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return Programs{}, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return p, nil
}

// ModuleRoot returns the directory of the module.
func ModuleRoot(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(root)), nil
}

// Environment is a set of things that run and end together. It is not safe for
// concurrent use.
type Environment struct {
	Programs Programs
	Dir      string // with everything in it; removed by Close

	Redis    *servers.RedisServer
	Postgres *servers.PostgresServer
	DB       *sql.DB // of Database
	Database string  // its address

	databases map[string]*sql.DB // by address
	count     int                // of directories and logs
	cleanups  []func() error
}

// New makes an environment with a directory of its own under dir, which PostgreSQL's
// user must be able to pass. Nothing runs yet.
func New(programs Programs, dir string) (*Environment, error) {
	own, err := os.MkdirTemp(dir, "env-")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if err := os.Chmod(own, 0o711); err != nil {
		return nil, fmt.Errorf("open directory to others: %w", err)
	}
	r := &Environment{Programs: programs, Dir: own, databases: map[string]*sql.DB{}}
	r.onClose(func() error { return os.RemoveAll(own) })
	return r, nil
}

func (r *Environment) onClose(f func() error) { r.cleanups = append(r.cleanups, f) }

// Close ends everything, last things first.
func (r *Environment) Close() error {
	var errs []error
	for _, f := range slices.Backward(r.cleanups) {
		errs = append(errs, f())
	}
	r.cleanups = nil
	return errors.Join(errs...)
}

// path returns a name in the environment's directory that is not taken.
func (r *Environment) path(name string) string {
	r.count++
	return filepath.Join(r.Dir, fmt.Sprintf("%s-%d", name, r.count))
}

// RedisSettings are what Redis runs with, besides appendfsync.
func RedisSettings() []string {
	// A rewrite of the file in one measurement and none in the next would be
	// all that they show.
	return []string{"--appendonly", "yes", "--maxmemory-policy", "noeviction", "--auto-aof-rewrite-percentage", "0"}
}

// StartRedis starts an empty Redis; appendfsync is "everysec" or "always".
func (r *Environment) StartRedis(appendfsync string) error {
	s, err := servers.NewRedis(r.path("redis"), append(RedisSettings(), "--appendfsync", appendfsync)...)
	if err != nil {
		return err
	}
	r.Redis = s
	r.onClose(s.Close)
	return s.Start()
}

// EndRedis ends Redis and removes its data.
func (r *Environment) EndRedis() error {
	s := r.Redis
	r.Redis = nil
	return errors.Join(s.Close(), os.RemoveAll(s.Dir()))
}

// PostgresSettings are what PostgreSQL runs with: its own defaults, where
// throw-away servers for tests have others.
func PostgresSettings() []string { return []string{"fsync=on", "shared_buffers=128MB"} }

// StartPostgres starts a PostgreSQL with the schema in its first database.
func (r *Environment) StartPostgres(ctx context.Context) error {
	s, err := servers.NewPostgres(r.path("postgres"), PostgresSettings()...)
	if err != nil {
		return err
	}
	r.Postgres = s
	r.onClose(s.Close)
	if err := s.Start(); err != nil {
		return err
	}
	return r.UseDatabase(ctx, s.URL())
}

// UseDatabase has the environment, and work processes started from now on, use the
// database at url. The first time it makes the schema there.
func (r *Environment) UseDatabase(ctx context.Context, url string) error {
	if db := r.databases[url]; db != nil {
		r.Database, r.DB = url, db
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := process.Output(ctx, r.Programs.EventPulse, "migrate", "up", "--database.url", url); err != nil {
		return fmt.Errorf("make the schema: %w", err)
	}
	r.Database = url
	r.DB = sql.OpenDB(pgdriver.NewConnector(
		pgdriver.WithDSN(url), pgdriver.WithApplicationName("bench"), pgdriver.WithTimeout(10*time.Minute)))
	r.onClose(r.DB.Close)
	r.databases[url] = r.DB
	return nil
}

// Exec runs statements in the environment's database.
func (r *Environment) Exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := r.DB.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// Meter measures the processor time of processes from its beginning on.
type Meter struct {
	pids  []int
	begin time.Duration
}

// Meter begins to measure the processes.
func (r *Environment) Meter(pids ...int) (Meter, error) {
	begin, err := process.CPU(pids...)
	return Meter{pids: pids, begin: begin}, err
}

// Used returns what the processes used since the beginning.
func (m Meter) Used() (time.Duration, error) {
	now, err := process.CPU(m.pids...)
	return now - m.begin, err
}
