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

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	sqlite3 "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/eventpulse/eventpulse/migrations"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// busyTimeout is how long a statement waits for another process's lock.
const busyTimeout = 5 * time.Second

type sqlite struct{ dsn string }

var _ backend = (*sqlite)(nil)

// openSQLite makes the directory of the file, which the database would not.
func openSQLite(path string, _ Config) (*bun.DB, backend, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, nil, fmt.Errorf("directory of database.url: %w", err)
	}
	s := &sqlite{dsn: sqliteDSN(path)}
	db, err := s.pool()
	return db, s, err
}

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

// pool has one connection: SQLite has one writer at a time, and waiting for it
// in a queue is better than being refused by it.
func (s *sqlite) pool() (*bun.DB, error) {
	db, err := sql.Open("sqlite", s.dsn)
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	db.SetMaxOpenConns(1)
	return bun.NewDB(db, sqlitedialect.New()), nil
}

// record is a row of the table. JSON is text here: as json.RawMessage or with
// a type tag bun would encode it once more.
type record struct {
	bun.BaseModel `bun:"table:events"`

	EventID   string `bun:"event_id,pk"`
	EventType string `bun:"event_type"`
	Source    string `bun:"source"`
	Timestamp string `bun:"timestamp"`
	Payload   string `bun:"payload"`
	Metadata  string `bun:"metadata"`
}

func (s *sqlite) insert(ctx context.Context, db *bun.DB, rows []row) ([]int, error) {
	records := make([]record, len(rows))
	for i, r := range rows {
		records[i] = record{
			EventID: r.ID.String(), EventType: r.Type, Source: r.Source,
			Timestamp: formatInstant(r.Timestamp), Payload: r.Payload, Metadata: r.Metadata,
		}
	}
	// The ids go to a place of their own: scanned into the records, those of
	// the rows that are new would slide over those that are not.
	var stored []string
	_, err := db.NewInsert().Model(&records).
		On("CONFLICT (event_id) DO NOTHING").Returning("event_id").
		Exec(ctx, &stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	ids := make([]uuid.UUID, len(stored))
	for i, text := range stored {
		if ids[i], err = uuid.Parse(text); err != nil {
			return nil, fmt.Errorf("returned event_id: %w", err)
		}
	}
	return without(rows, ids), nil
}

func (s *sqlite) find(ctx context.Context, db *bun.DB, ids []string) ([]event.Event, error) {
	rows, err := db.QueryContext(ctx,
		`SELECT event_id, event_type, source, "timestamp", payload, metadata FROM events WHERE event_id IN (?)`, bun.List(ids))
	return scanEvents(rows, err, parseInstant)
}

const instantFormat = "2006-01-02T15:04:05.000000Z"

// formatInstant writes t so that texts sort as instants do, within the years
// that RFC 3339 has.
func formatInstant(t time.Time) string { return t.UTC().Format(instantFormat) }

func parseInstant(s string) (time.Time, error) {
	// One offset's worth of instants lies beyond the year 9999; the format
	// reads four digits.
	if beyond := len(s) - len(instantFormat); beyond == 1 && s[:5] == "10000" {
		t, err := time.Parse(instantFormat, "9996"+s[5:])
		return t.AddDate(4, 0, 0), err
	}
	return time.Parse(instantFormat, s)
}

func (s *sqlite) migrations() (fs.FS, error) { return migrations.SQLite() }

func (s *sqlite) hasTable(ctx context.Context, db *bun.DB, table string) (bool, error) {
	var n int
	err := db.QueryRowContext(ctx,
		"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", table).Scan(&n)
	return n > 0, err
}

// migrating needs no lock beside that of each transaction: a migration that
// somebody else has applied in the meantime is noticed inside it.
func (s *sqlite) migrating(context.Context) (*bun.DB, func() error, error) {
	db, err := s.pool()
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

// classify implements backend: what the data is to blame for is refused, a
// database that is busy, full or broken is waited for.
func (s *sqlite) classify(operation string, err error) *event.Error {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e
	}
	e, ok := errors.AsType[*sqlite3.Error](err)
	if !ok {
		return unavailable(operation, "", ended(err), err)
	}
	code := "SQLITE-" + strconv.Itoa(e.Code())
	const tooBig, constraint, mismatch = 18, 19, 20 // primary result codes
	switch e.Code() & 0xff {
	case tooBig:
		return refused(code, operation+": SQLite refuses it: too big")
	case constraint:
		return refused(code, operation+": SQLite refuses it: a constraint is violated")
	case mismatch:
		return refused(code, operation+": SQLite refuses it: a value is of the wrong type")
	default:
		return unavailable(operation, code, ended(err), err)
	}
}
