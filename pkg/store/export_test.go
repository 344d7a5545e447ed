package store

import (
	"context"

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
	rows, _ := plan(events)
	return existing(ctx, s.db, rows)
}
