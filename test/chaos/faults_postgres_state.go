package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/eventpulse/eventpulse/test/chaos/env"
)

// postgresStateFaults are PostgreSQL being up, and unwilling or unable.
func postgresStateFaults() []Fault {
	return []Fault{
		{
			Name: "postgres-table-locked", What: "somebody holds an exclusive lock on the table for a minute",
			Window: time.Minute,
			Inject: lockTable,
			Expect: unharmed,
		},
		{
			Name: "postgres-disk-full", What: "the disk under the table is full: 53100",
			Env:    func(c *env.Config) { c.TableDisk = 256 << 20 },
			Inject: hold(func(e *env.Environment) error { return e.TableDisk.Fill(0) }, func(e *env.Environment) error { return e.TableDisk.Empty() }),
			Expect: unharmed,
		},
		{
			Name: "postgres-wal-disk-full", What: "the disk under the write-ahead log is full: PostgreSQL panics, and is started when there is space",
			Env:    func(c *env.Config) { c.PostgresDisk = 768 << 20 },
			Inject: hold(fillPostgresDisk, revivePostgres),
			Expect: unharmed,
		},
		{
			Name: "postgres-too-many-connections", What: "others take every connection: 53300",
			Env: func(c *env.Config) {
				c.PostgresSettings = append(c.PostgresSettings, "max_connections=24", "superuser_reserved_connections=0")
			},
			Inject: takeConnections,
			Expect: unharmed,
		},
		{
			Name: "postgres-sessions-ended", What: "pg_terminate_backend of all sessions of work, 5 times a second",
			Inject: every(200*time.Millisecond, act(query(endSessions))),
			Expect: unharmed,
		},
		{
			Name: "postgres-readonly", What: "PostgreSQL takes no writes, as after a failover: 25006",
			Inject: hold(setReadOnly("on"), setReadOnly("off")),
			Expect: unharmed,
		},
		{
			Name: "postgres-trigger-drops", What: "a trigger on the table drops one row in sixteen: each is a dead letter, and none is counted as stored",
			Inject: dropRows,
			Expect: unharmed,
		},
	}
}

// endSessions ends every session but the harness's own.
const endSessions = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND application_name <> '` + env.ApplicationName + `'`

// query runs a statement on PostgreSQL itself.
func query(text string) step {
	return func(e *env.Environment) error {
		_, err := e.DB.ExecContext(context.Background(), text)
		return err
	}
}

func lockTable(ctx context.Context, r *Run) error {
	tx, err := r.Env.DB.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(context.WithoutCancel(ctx), "LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
	<-ctx.Done()
	return errors.Join(err, tx.Rollback())
}

// fillPostgresDisk leaves no room and makes PostgreSQL want some.
func fillPostgresDisk(e *env.Environment) error {
	if err := e.PostgresDisk.Fill(0); err != nil {
		return err
	}
	// It fails, or not, with the server: that is the point.
	_ = query("SELECT pg_switch_wal()")(e)
	return nil
}

func revivePostgres(e *env.Environment) error {
	if err := e.PostgresDisk.Empty(); err != nil {
		return err
	}
	_ = e.Postgres.Kill() // it may have ended by itself
	return e.Postgres.Start()
}

// setReadOnly makes the server read-only, or writable, for all sessions.
func setReadOnly(value string) step {
	return func(e *env.Environment) error {
		return errors.Join(
			query("ALTER SYSTEM SET default_transaction_read_only = "+value)(e),
			query("SELECT pg_reload_conf()")(e),
		)
	}
}

// takeConnections ends the sessions of work and takes every place there is.
func takeConnections(ctx context.Context, r *Run) error {
	// One for ourselves, before there is none.
	own, err := r.Env.DB.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	var taken []*sql.DB
	defer func() {
		for _, db := range taken {
			_ = db.Close()
		}
	}()
	for ctx.Err() == nil {
		db := sql.OpenDB(pgdriver.NewConnector(
			pgdriver.WithDSN(r.Env.Postgres.URL()), pgdriver.WithApplicationName(env.ApplicationName)))
		if err := db.PingContext(ctx); err == nil {
			taken = append(taken, db) // and keeps its one connection
			continue
		} else if err := errors.Join(db.Close(), stateIs(err, "53300")); err != nil && ctx.Err() == nil {
			return err
		}
		// Full: whoever of work is still in is put out, and loses the race
		// for the free place to us sooner or later.
		if _, err := own.ExecContext(context.WithoutCancel(ctx), endSessions); err != nil {
			return err
		}
		pause(ctx, 20*time.Millisecond)
	}
	r.note("%d connections were taken", len(taken))
	return nil
}

// stateIs returns err unless it carries the SQLSTATE.
func stateIs(err error, state string) error {
	var pg pgdriver.Error
	if errors.As(err, &pg) && pg.Field('C') == state {
		return nil
	}
	return fmt.Errorf("expected SQLSTATE %s: %w", state, err)
}

// dropTrigger drops the rows whose id ends in the digit 7.
const dropTrigger = `CREATE FUNCTION drop_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
	CREATE TRIGGER drop_rows BEFORE INSERT ON events FOR EACH ROW
	WHEN (right(NEW.event_id::text, 1) = '7') EXECUTE FUNCTION drop_rows()`

// insertedMetric counts the rows that work says it inserted.
const insertedMetric = "eventpulse_store_rows_inserted_total"

// dropRows has the database drop rows in silence. At the end the worker must
// not have counted more rows as inserted than there are.
func dropRows(ctx context.Context, r *Run) error {
	if err := query(dropTrigger)(r.Env); err != nil {
		return err
	}
	r.drops = func(id uuid.UUID) bool { return id[15]&0x0f == 7 }
	<-ctx.Done()
	if err := query("DROP TRIGGER drop_rows ON events")(r.Env); err != nil {
		return err
	}
	after := context.WithoutCancel(ctx)
	// The rows are read last: there may be more by then, not fewer.
	counted, ok, err := env.Metric(after, r.Env.WorkAdmin[0], insertedMetric)
	if err != nil || !ok {
		return errors.Join(fmt.Errorf("work shows no %s", insertedMetric), err)
	}
	rows, err := r.Env.Stored(after)
	if err == nil && int(counted) > rows {
		err = fmt.Errorf("work counts %.0f rows as inserted, and the table has %d", counted, rows)
	}
	return err
}
