package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// insert implements backend. COPY costs PostgreSQL little more than half of
// what INSERT does, for one row as for thousands, but knows neither ON
// CONFLICT nor RETURNING: it stores all rows or fails. So ids are looked up
// first while duplicates are likely, and INSERT takes what COPY would not and
// has the last word on what is refused.
func (p *postgres) insert(ctx context.Context, db *bun.DB, rows []row) (duplicates []int, err error) {
	if !p.copying.possible() {
		return insertRows(ctx, db, rows)
	}
	if p.copying.duplicatesLikely() {
		ids, err := existing(ctx, db, rows)
		switch state := stateOf(err); {
		case err == nil:
			p.copying.lookedUp(len(ids))
			rows, duplicates = divide(rows, ids)
		case state == "" || passes(state):
			p.copying.lookUpFailed()
			return nil, err
		default:
			// Looking is no condition of storing.
			p.copying.lookUpFailed()
		}
	}
	if len(rows) == 0 {
		return duplicates, nil
	}
	raced, err := p.copyRows(ctx, db, rows)
	return append(duplicates, raced...), err
}

// copyRows stores rows by COPY where that works.
func (p *postgres) copyRows(ctx context.Context, db *bun.DB, rows []row) (duplicates []int, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	stored, copyErr := copyIn(ctx, conn, rows)
	_ = conn.Close() // one that broke says so here once more
	if copyErr == nil {
		p.copying.worked()
		if stored == len(rows) {
			return nil, nil
		}
		// A trigger has kept rows out, and COPY does not say which.
		p.giveUpCopy("a trigger on the table keeps rows out", nil)
		ids, err := existing(ctx, db, rows)
		return without(rows, ids), err
	}
	switch state := stateOf(copyErr); {
	case state == "" || class(state) == "08":
		if !errors.Is(copyErr, context.Canceled) && p.copying.broke() {
			p.giveUpCopy("connections break in it", copyErr)
		}
		return nil, copyErr
	case passes(state):
		return nil, copyErr
	default:
		duplicates, err = insertRows(ctx, db, rows)
		if err != nil {
			return nil, err
		}
		switch class(state) {
		case "23":
			p.copying.metDuplicates()
		case "0A", "42":
			p.giveUpCopy("PostgreSQL refuses it here", copyErr)
		}
		return duplicates, nil
	}
}

// insertStatement is one statement and so one transaction. JSON travels as
// text and becomes jsonb by the row: an array literal of jsonb would be parsed
// into one large constant first, and took a quarter longer.
const insertStatement = `INSERT INTO events (event_id, event_type, source, "timestamp", payload, metadata) ` +
	`SELECT id, type, source, at, payload::jsonb, metadata::jsonb FROM ` +
	`unnest(?::uuid[], ?::text[], ?::text[], ?::timestamptz[], ?::text[], ?::text[]) ` +
	`AS sent (id, type, source, at, payload, metadata) ` +
	`ON CONFLICT (event_id) DO NOTHING RETURNING event_id`

func insertRows(ctx context.Context, db *bun.DB, rows []row) (duplicates []int, err error) {
	stored, err := queryIDs(ctx, db, len(rows), insertStatement, columns(rows)...)
	if err != nil {
		return nil, err
	}
	return without(rows, stored), nil
}

// queryIDs runs a statement that returns ids, about so many.
func queryIDs(ctx context.Context, db *bun.DB, about int, statement string, args ...any) (ids []uuid.UUID, err error) {
	result, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, result.Close()) }()
	ids = make([]uuid.UUID, 0, about)
	var text sql.RawBytes
	for result.Next() {
		if err := result.Scan(&text); err != nil {
			return nil, err
		}
		id, err := uuid.ParseBytes(text)
		if err != nil {
			return nil, fmt.Errorf("returned event_id: %w", err)
		}
		ids = append(ids, id)
	}
	// The rows come before the commit, the end of them after it: only Err
	// tells that it is done.
	return ids, result.Err()
}
