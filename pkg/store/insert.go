package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// maxStatementBytes bounds the content of one statement. PostgreSQL takes no
// message and no value over 1 GiB, and long before that it is only memory.
const maxStatementBytes = 256 << 20

// Insert stores a batch in one transaction: when it returns nil, every event
// that the result does not name is a new row and durable; when it returns an
// error, none of them is, or, where the connection was lost or the context
// ended in the middle, all may be. Inserting the same events again is always
// safe.
//
// An error is always an *event.Error. KindRejected means that the database
// rejects the content of at least one of the events, and would again; in a
// batch of one it is that one. KindBlocked means that the database does not take
// at least one of them, for a reason outside of it; the others may be taken
// without it. KindUnavailable means that the whole batch may succeed later. None
// of them holds any part of an event.
func (s *Store) Insert(ctx context.Context, events []event.Event) (event.Inserted, error) {
	if len(events) == 0 {
		return event.Inserted{}, nil
	}
	done := s.metrics.inserting()
	inserted, err := s.insert(ctx, events)
	done(len(events), inserted, err)
	return inserted, err
}

func (s *Store) insert(ctx context.Context, events []event.Event) (event.Inserted, error) {
	if err := check(events); err != nil {
		return event.Inserted{}, err
	}
	rows := distinct(events)
	left, err := s.backend.insert(ctx, rows)
	if err != nil {
		return event.Inserted{}, s.backend.classify(fmt.Sprintf("insert %d events", len(events)), err)
	}
	return report(events, len(rows), left), nil
}

// check rejects what no database may see: a NUL ends a text of PostgreSQL in the
// middle, and drivers repair bad UTF-8 in silence.
func check(events []event.Event) error {
	size := 0
	for i := range events {
		e := &events[i]
		for _, text := range [...]struct{ field, value string }{
			{event.FieldType, e.Type}, {event.FieldSource, e.Source},
			{event.FieldPayload, e.Payload}, {event.FieldMetadata, e.Metadata},
		} {
			size += len(text.value)
			problem := ""
			switch {
			case strings.IndexByte(text.value, 0) >= 0:
				problem = "U+0000"
			case !utf8.ValidString(text.value):
				problem = "invalid UTF-8"
			default:
				continue
			}
			return rejected(stateBadCharacter, fmt.Sprintf("event %d of the batch: %s holds %s", i, text.field, problem))
		}
	}
	if size > maxStatementBytes && len(events) > 1 {
		// Rejected, so that it is divided.
		return rejected(stateLimit, fmt.Sprintf("a batch of %d bytes is too large for one statement", size))
	}
	return nil
}

// distinct returns the events with an id of their own, in the order of their
// ids; of those that share one, the first. Overlapping batches then lock in the
// same order and cannot deadlock.
func distinct(events []event.Event) []*event.Event {
	rows := make([]*event.Event, len(events))
	for i := range events {
		rows[i] = &events[i]
	}
	slices.SortStableFunc(rows, func(a, b *event.Event) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(rows, func(a, b *event.Event) bool { return a.ID == b.ID })
}

// notInserted are the ids of a batch that an insert did not store, by why.
type notInserted struct {
	duplicates, dropped idSet
}

// idSet is a set of ids; nil is an empty one.
type idSet map[uuid.UUID]struct{}

func (s idSet) has(id uuid.UUID) bool {
	_, ok := s[id]
	return ok
}

// without returns the rows whose ids are not in the set.
func (s idSet) without(rows []*event.Event) []*event.Event {
	if len(s) == 0 {
		return rows
	}
	var rest []*event.Event
	for _, r := range rows {
		if !s.has(r.ID) {
			rest = append(rest, r)
		}
	}
	return rest
}

// report says which of the events were not stored, of which so many have an id
// of their own. A repetition is a duplicate of the first under its id, unless
// that was dropped.
func report(events []event.Event, distinct int, left notInserted) (inserted event.Inserted) {
	repeated := distinct < len(events)
	if !repeated && len(left.duplicates)+len(left.dropped) == 0 {
		return inserted
	}
	seen := idSet{}
	for i := range events {
		id := events[i].ID
		switch {
		case left.dropped.has(id):
			inserted.Dropped = append(inserted.Dropped, i)
		case left.duplicates.has(id) || seen.has(id):
			inserted.Duplicates = append(inserted.Duplicates, i)
		}
		if repeated {
			seen[id] = struct{}{}
		}
	}
	return inserted
}
