package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Find returns which of the events with these ids are stored, in any order, as
// they are stored: their JSON is the database's text of it. It is one query, so
// ids are a page, not all there are. The error is of KindUnavailable.
func (s *Store) Find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.backend.find(ctx, ids)
	if err != nil {
		return nil, s.failed(fmt.Sprintf("look for %d events", len(ids)), err)
	}
	return found, nil
}

func texts(ids []uuid.UUID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

// scanEvents reads all rows of the result of a query, whose timestamps the
// database returns as a T.
func scanEvents[T any](rows *sql.Rows, err error, instant func(T) (time.Time, error)) ([]event.Event, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []event.Event
	for rows.Next() {
		var e event.Event
		var at T
		if err := rows.Scan(&e.ID, &e.Type, &e.Source, &at, &e.Payload, &e.Metadata); err != nil {
			return nil, err
		}
		if e.Timestamp, err = instant(at); err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, rows.Err()
}
