package env

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/test/chaos/verify"
)

// Rows reads the whole table.
func (s *Environment) Rows(ctx context.Context) iter.Seq2[verify.Row, error] {
	return func(yield func(verify.Row, error) bool) {
		rows, err := s.DB.QueryContext(ctx, `SELECT event_id::text, event_type, source,
			(extract(epoch FROM "timestamp") * 1000000)::bigint, payload::text, metadata::text FROM events`)
		if err != nil {
			yield(verify.Row{}, fmt.Errorf("read table: %w", err))
			return
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var r verify.Row
			var id string
			err := rows.Scan(&id, &r.Type, &r.Source, &r.Micros, &r.Payload, &r.Metadata)
			if err == nil {
				r.ID, err = uuid.Parse(id)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(verify.Row{}, fmt.Errorf("read table: %w", err))
		}
	}
}

// Stored returns how many rows the table has.
func (s *Environment) Stored(ctx context.Context) (n int, err error) {
	err = s.DB.QueryRowContext(ctx, "SELECT count(*) FROM events").Scan(&n)
	return n, err
}

// Holds reports whether the table has the event.
func (s *Environment) Holds(ctx context.Context, id uuid.UUID) (held bool, err error) {
	err = s.DB.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM events WHERE event_id = $1::uuid)", id.String()).Scan(&held)
	return held, err
}
