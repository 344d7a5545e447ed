package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Find returns which of the events with these ids are stored, in any order, as
// they are stored: their JSON is the database's text of it. It is one query, so
// ids are a page, not all there are. The error is of KindUnavailable.
func (s *Store) Find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var found []event.Event
	err := errors.New("unknown kind of database")
	switch b := s.backend.(type) {
	case *postgres:
		found, err = b.find(ctx, s.db, ids)
	case *sqlite:
		found, err = b.find(ctx, s.db, ids)
	}
	if err != nil {
		return nil, s.backend.classify(fmt.Sprintf("look for %d events", len(ids)), err)
	}
	return found, nil
}

const findEvents = `SELECT event_id::text, event_type, source, (extract(epoch FROM "timestamp") * 1000000)::bigint, ` +
	`payload::text, metadata::text FROM events WHERE event_id = ANY(?::uuid[])`

func (p *postgres) find(ctx context.Context, db *bun.DB, ids []uuid.UUID) ([]event.Event, error) {
	var array strings.Builder
	array.Grow(len(ids) * (len(uuid.Nil.String()) + 1))
	for i, id := range ids {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		array.WriteByte(separator)
		array.WriteString(id.String())
	}
	array.WriteByte('}')
	rows, err := db.QueryContext(ctx, findEvents, array.String())
	return scanFound(rows, err, len(ids), func(e *event.Event, scan func(id, timestamp any) error) error {
		var id string
		var micros int64
		if err := scan(&id, &micros); err != nil {
			return err
		}
		e.Timestamp = time.UnixMicro(micros).UTC()
		var err error
		e.ID, err = uuid.Parse(id)
		return err
	})
}

func (s *sqlite) find(ctx context.Context, db *bun.DB, ids []uuid.UUID) ([]event.Event, error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	rows, err := db.QueryContext(ctx,
		`SELECT event_id, event_type, source, "timestamp", payload, metadata FROM events WHERE event_id IN (?)`, bun.List(texts))
	return scanFound(rows, err, len(ids), func(e *event.Event, scan func(id, timestamp any) error) error {
		var id, timestamp string
		err := scan(&id, &timestamp)
		if err == nil {
			e.ID, err = uuid.Parse(id)
		}
		if err == nil {
			e.Timestamp, err = parseInstant(timestamp)
		}
		return err
	})
}

// scanFound reads all rows: what both databases give alike by itself, the id
// and the timestamp by read.
func scanFound(rows *sql.Rows, err error, most int, read func(e *event.Event, scan func(id, timestamp any) error) error) (found []event.Event, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found = make([]event.Event, 0, most)
	for rows.Next() {
		var e event.Event
		err := read(&e, func(id, timestamp any) error {
			return rows.Scan(id, &e.Type, &e.Source, timestamp, &e.Payload, &e.Metadata)
		})
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, rows.Err()
}
