package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	sqlite3 "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/eventpulse/eventpulse/migrations"
)

// busyTimeout is how long a statement waits for another process's lock.
const busyTimeout = 5 * time.Second

// sqlite is the backend for SQLite, 3.38 or later.
type sqlite struct {
	path string
	db   *bun.DB
}

var _ backend = (*sqlite)(nil)

// openSQLite makes the directory of the file, which the database would not.
func openSQLite(path string) (*sqlite, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("directory of database.url: %w", err)
	}
	s := &sqlite{path: path}
	var err error
	s.db, err = s.open()
	return s, err
}

func (s *sqlite) database() *bun.DB { return s.db }

func sqliteDSN(path string) string {
	q := url.Values{
		"_pragma": {
			"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")",
			"journal_mode(WAL)",
			// In WAL mode NORMAL may lose the last commits to a power cut.
			"synchronous(FULL)",
		},
		// A transaction that begins by reading cannot wait to write.
		"_txlock": {"immediate"},
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// open makes a pool of one connection: SQLite has one writer at a time, and
// waiting for it in a queue is better than being turned away by it.
func (s *sqlite) open() (*bun.DB, error) {
	db, err := sql.Open("sqlite", sqliteDSN(s.path))
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	db.SetMaxOpenConns(1)
	return bun.NewDB(db, sqlitedialect.New()), nil
}

func (s *sqlite) migrations() (fs.FS, error) { return migrations.SQLite() }

func (s *sqlite) hasTable(ctx context.Context, db *bun.DB, table string) (bool, error) {
	var n int
	err := db.QueryRowContext(ctx,
		"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", table).Scan(&n)
	return n > 0, err
}

// problems implements backend: nobody but us changes a file that is for trying
// out.
func (s *sqlite) problems(context.Context) ([]Problem, error) { return nil, nil }

// migrating needs no lock beside that of each transaction: a migration that
// somebody else has applied in the meantime is noticed inside it.
func (s *sqlite) migrating(ctx context.Context) (*migrationRun, error) {
	db, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := connect(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	begun := func(context.Context, bun.IConn) error { return nil }
	return &migrationRun{db: db, begun: begun, close: db.Close}, nil
}

// connect opens the connection. Of several that make a file a write-ahead log
// at once all but one fail, without their busy_timeout being heeded
// (https://www.sqlite.org/pragma.html#pragma_busy_timeout), and try again.
func connect(ctx context.Context, db *bun.DB) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if e, ok := errors.AsType[*sqlite3.Error](err); !ok || e.Code()&primaryCode != codeBusy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *sqlite) inspect(ctx context.Context, info *Info) error {
	info.SQLite, info.Address = true, s.path
	if _, err := os.Stat(info.Address); err != nil {
		return err // asking anything would make the file
	}
	asked := time.Now()
	err := s.db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&info.Version)
	info.Latency = time.Since(asked)
	return err
}
