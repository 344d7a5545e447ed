package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// migrationsTable is the record of what has been applied. It has a name of
// its own so that another program using the same library in the same database
// is not mistaken for us.
const migrationsTable = "eventpulse_migrations"

// Migration is one step of the schema.
type Migration struct {
	// Name orders the migrations; Comment says what it does.
	Name, Comment string
	// AppliedAt is zero when the migration is not applied.
	AppliedAt time.Time
	// Group is the number of the MigrateUp that applied it, 0 for none.
	Group int64
	// Unknown is set when the migration was applied by a newer version of the
	// program: this one knows nothing of it but its name.
	Unknown bool
}

// MigrateUp applies, in order, every migration that is not applied, and
// returns their names. Each is one transaction, its record included: after a
// crash the same call carries on. Callers at the same time wait for each
// other, as long as ctx lets them.
func (s *Store) MigrateUp(ctx context.Context) ([]string, error) {
	return s.migrate(ctx, "migrate up", true)
}

// MigrateDown undoes the migrations that the last MigrateUp applied, and the
// data in what they created, and returns their names, the first undone first.
// It fails when the schema is newer than this program.
func (s *Store) MigrateDown(ctx context.Context) ([]string, error) {
	return s.migrate(ctx, "migrate down", false)
}

// MigrateStatus returns every migration that is known or applied, in order.
// It only reads.
func (s *Store) MigrateStatus(ctx context.Context) ([]Migration, error) {
	list, err := s.status(ctx, s.db)
	if err != nil {
		return nil, s.migrationError("read the state of the schema", err)
	}
	return list, nil
}

func (s *Store) status(ctx context.Context, db *bun.DB) ([]Migration, error) {
	known, err := s.known()
	if err != nil {
		return nil, err
	}
	exists, err := s.backend.hasTable(ctx, db, migrationsTable)
	if err != nil {
		return nil, err
	}
	var applied migrate.MigrationSlice
	if exists {
		applied, err = migrate.NewMigrator(db, known, migrate.WithTableName(migrationsTable)).AppliedMigrations(ctx)
		if err != nil {
			return nil, err
		}
	}
	var list []Migration
	for _, k := range known.Sorted() {
		list = append(list, Migration{Name: k.Name, Comment: k.Comment})
	}
	for _, a := range applied {
		i := slices.IndexFunc(list, func(m Migration) bool { return m.Name == a.Name })
		if i < 0 {
			i = len(list)
			list = append(list, Migration{Name: a.Name, Unknown: true})
		}
		list[i].AppliedAt, list[i].Group = a.MigratedAt.UTC(), a.GroupID
	}
	slices.SortFunc(list, func(a, b Migration) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (s *Store) known() (*migrate.Migrations, error) {
	files, err := s.backend.migrations()
	if err != nil {
		return nil, &event.Error{Kind: event.KindInternal, Detail: "embedded migrations", Err: err}
	}
	known := migrate.NewMigrations()
	if err := known.Discover(files); err != nil {
		return nil, &event.Error{Kind: event.KindInternal, Detail: "embedded migrations", Err: err}
	}
	return known, nil
}

// errOvertaken says that somebody else did a migration between our looking
// and our turn, which is how it goes where there is no lock.
var errOvertaken = errors.New("somebody else is migrating at the same time")

// migrationRun is what migrations run on.
type migrationRun struct {
	db *bun.DB
	// begun is called in the transaction of each migration before it.
	begun func(ctx context.Context, tx bun.IConn) error
	close func() error
}

func (s *Store) migrate(ctx context.Context, operation string, up bool) (names []string, err error) {
	known, err := s.known()
	if err != nil {
		return nil, s.migrationError(operation, err)
	}
	run, err := s.backend.migrating(ctx)
	if err != nil {
		return nil, s.migrationError(operation, err)
	}
	defer func() {
		if e := run.close(); e != nil && err == nil {
			s.log.Warn("close the connection of the migration", slog.Any("error", e))
		}
	}()
	for {
		var done []string
		done, err = s.migrateOnce(ctx, run, known, up)
		names = append(names, done...)
		if errors.Is(err, errOvertaken) && ctx.Err() == nil {
			continue // each round somebody got a migration further
		}
		if err != nil {
			return names, s.migrationError(operation, err)
		}
		return names, nil
	}
}

// migrateOnce runs bun's migrator, with its record of each migration written
// inside the migration's own transaction. The migrator itself writes it before
// or after, and a crash in between leaves the one without the other. It
// returns the names of the migrations that are committed, with an error or
// without.
func (s *Store) migrateOnce(ctx context.Context, on *migrationRun, known *migrate.Migrations, up bool) ([]string, error) {
	db := on.db
	if err := createMigrationsTable(ctx, db); err != nil {
		return nil, err
	}
	if !up {
		if err := s.rejectUnknown(ctx, db); err != nil {
			return nil, err
		}
	}
	var done []string
	var current string // begun; committed once the next begins or all is over
	migrator := migrate.NewMigrator(db, known,
		migrate.WithTableName(migrationsTable),
		migrate.WithMarkAppliedOnSuccess(true),
		migrate.WithUpsert(true), // it finds the record already there
		migrate.BeforeMigration(func(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
			if current != "" {
				done = append(done, current)
			}
			current = fullName(m.Name, m.Comment)
			if err := on.begun(ctx, tx); err != nil {
				return err
			}
			return checkTurn(ctx, db, tx, m, up)
		}),
		migrate.AfterMigration(func(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
			return recordMigration(ctx, db, tx, m, up)
		}),
	)
	run := migrator.Migrate
	if !up {
		run = migrator.Rollback
	}
	_, err := run(ctx)
	if err == nil && current != "" {
		done = append(done, current)
	}
	return done, err
}

// createMigrationsTable makes the record of migrations, without the table of
// locks that bun's own Init adds and that would survive a crash.
func createMigrationsTable(ctx context.Context, db *bun.DB) error {
	if _, err := db.NewCreateTable().Model((*migrate.Migration)(nil)).
		ModelTableExpr(migrationsTable).IfNotExists().Exec(ctx); err != nil {
		return fmt.Errorf("create %s: %w", migrationsTable, err)
	}
	if _, err := db.NewCreateIndex().Unique().TableExpr(migrationsTable).
		Index(migrationsTable + "_name_key").Column("name").IfNotExists().Exec(ctx); err != nil {
		return fmt.Errorf("create the key of %s: %w", migrationsTable, err)
	}
	return nil
}

func checkTurn(ctx context.Context, db *bun.DB, tx bun.IConn, m *migrate.Migration, up bool) error {
	n, err := db.NewSelect().Conn(tx).Model((*migrate.Migration)(nil)).
		ModelTableExpr(migrationsTable).Where("name = ?", m.Name).Count(ctx)
	if err != nil {
		return fmt.Errorf("look migration %s up: %w", m.Name, err)
	}
	if applied := n > 0; applied == up {
		return errOvertaken
	}
	return nil
}

func recordMigration(ctx context.Context, db *bun.DB, tx bun.IConn, m *migrate.Migration, up bool) error {
	var err error
	if up {
		_, err = db.NewInsert().Conn(tx).Model(&migrate.Migration{Name: m.Name, GroupID: m.GroupID}).
			ModelTableExpr(migrationsTable).Exec(ctx)
	} else {
		_, err = db.NewDelete().Conn(tx).Model((*migrate.Migration)(nil)).
			ModelTableExpr(migrationsTable).Where("name = ?", m.Name).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("record migration %s: %w", m.Name, err)
	}
	return nil
}

func (s *Store) rejectUnknown(ctx context.Context, db *bun.DB) error {
	list, err := s.status(ctx, db)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Unknown {
			return &event.Error{Kind: event.KindInternal, Detail: fmt.Sprintf(
				"the schema is newer than this program, which does not know migration %s: use the program that applied it", m.Name)}
		}
	}
	return nil
}

// migrationError keeps the database's own words: there is nothing of an event
// in them, and a person needs them.
func (s *Store) migrationError(operation string, err error) error {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e
	}
	e := s.backend.classify(operation, err)
	if e.Kind == event.KindRejected || e.Kind == event.KindBlocked {
		e = &event.Error{Kind: event.KindInternal, Code: e.Code, Detail: operation}
	}
	e.Err = err
	return e
}

func fullName(name, comment string) string {
	if comment == "" {
		return name
	}
	return name + "_" + comment
}
