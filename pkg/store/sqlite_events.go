package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/eventpulse/eventpulse/pkg/event"
)

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

func (s *sqlite) insert(ctx context.Context, events []*event.Event) (notInserted, error) {
	records := make([]record, len(events))
	for i, e := range events {
		records[i] = record{
			EventID: e.ID.String(), EventType: e.Type, Source: e.Source,
			Timestamp: formatInstant(e.Timestamp), Payload: e.Payload, Metadata: e.Metadata,
		}
	}
	// The ids go to a place of their own: scanned into the records, those of
	// the rows that are new would slide over those that are not.
	var returned []string
	_, err := s.db.NewInsert().Model(&records).
		On("CONFLICT (event_id) DO NOTHING").Returning("event_id").
		Exec(ctx, &returned)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return notInserted{}, err
	}
	stored, err := parseIDs(returned)
	if err != nil {
		return notInserted{}, err
	}
	rest := stored.without(events)
	if len(rest) == 0 {
		return notInserted{}, nil
	}
	present, err := s.existing(ctx, rest)
	if err != nil {
		return notInserted{}, err
	}
	return notInserted{duplicates: present, dropped: missing(rest, present)}, nil
}

// existing returns which events are stored.
func (s *sqlite) existing(ctx context.Context, events []*event.Event) (idSet, error) {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID.String()
	}
	var found []string
	err := s.db.NewSelect().Model((*record)(nil)).Column("event_id").Where("event_id IN (?)", bun.List(ids)).Scan(ctx, &found)
	if err != nil {
		return nil, err
	}
	return parseIDs(found)
}

func parseIDs(texts []string) (idSet, error) {
	ids := make(idSet, len(texts))
	for _, text := range texts {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("stored event_id: %w", err)
		}
		ids[id] = struct{}{}
	}
	return ids, nil
}

func (s *sqlite) find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	rows, err := s.db.QueryContext(ctx,
		`SELECT event_id, event_type, source, "timestamp", payload, metadata FROM events WHERE event_id IN (?)`, bun.List(texts(ids)))
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
