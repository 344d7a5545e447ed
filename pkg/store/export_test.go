package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// LookUpStatement is what LookUp asks.
const LookUpStatement = lookUpStatement

// ByInsert makes a store take INSERT, as where COPY does not work.
func ByInsert(s *Store) { s.backend.(*postgres).copying.impossible.Store(true) }

// LookUp returns which of the events' ids are stored, as before COPY while
// duplicates are likely.
func LookUp(ctx context.Context, s *Store, events []event.Event) ([]uuid.UUID, error) {
	set, err := s.backend.(*postgres).existing(ctx, distinct(events))
	return slices.Collect(maps.Keys(set)), err
}

// CreatedAt returns when an event was stored, as the database has it.
func CreatedAt(ctx context.Context, s *Store, id uuid.UUID) (time.Time, error) {
	column := "created_at"
	if _, ok := s.backend.(*postgres); ok {
		column = `to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
	}
	var text string
	if err := s.db.QueryRowContext(ctx, "SELECT "+column+" FROM events WHERE event_id = ?", id.String()).Scan(&text); err != nil {
		return time.Time{}, err
	}
	return parseInstant(text)
}

// SetLockWait sets how long migrations wait for those of another process.
func SetLockWait(s *Store, d time.Duration) { s.backend.(*postgres).lockWait = d }

// MigrationLock is the advisory lock of migrations.
const MigrationLock = migrationLock
