package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// maxStatementBytes bounds the text of one statement. PostgreSQL takes no
// message and no value over 1 GiB, and long before that it is only memory.
const maxStatementBytes = 256 << 20

// row is an event on its way into a statement, with its place in the batch.
type row struct {
	*event.Event
	index int
}

// Insert stores a batch in one statement: when it returns nil, every event is
// in the table and durable; when it returns an error, none of them is, or,
// where the connection was lost or the context ended in the middle, all may
// be. Inserting the same events again is always safe.
//
// What it returns tells the events that were not stored now from those that
// were.
//
// An error is always an *event.Error. KindRejected means that the database
// refuses the content of at least one of the events, and would again; in a
// batch of one it is that one. KindUnavailable means that the whole batch may
// succeed later. Neither holds any part of an event.
func (s *Store) Insert(ctx context.Context, events []event.Event) (event.Inserted, error) {
	if len(events) == 0 {
		return event.Inserted{}, nil
	}
	done := s.metrics.inserting()
	duplicates, err := s.insert(ctx, events)
	done(len(events), len(duplicates), err)
	return event.Inserted{Duplicates: duplicates}, err
}

func (s *Store) insert(ctx context.Context, events []event.Event) ([]int, error) {
	if err := check(events); err != nil {
		return nil, err
	}
	rows, duplicates := plan(events)
	known, err := s.backend.insert(ctx, s.db, rows)
	if err != nil {
		return nil, s.backend.classify(fmt.Sprintf("insert %d events", len(events)), err)
	}
	duplicates = append(duplicates, known...)
	slices.Sort(duplicates)
	return duplicates, nil
}

// check refuses what no database may see: a NUL ends PostgreSQL's statement in
// the middle, and drivers repair bad UTF-8 in silence.
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
			return refused(stateBadCharacter, fmt.Sprintf("event %d of the batch: %s holds %s", i, text.field, problem))
		}
	}
	if size > maxStatementBytes && len(events) > 1 {
		// Refused, so that it is divided.
		return refused(stateLimit, fmt.Sprintf("a batch of %d bytes is too large for one statement", size))
	}
	return nil
}

// plan puts the events into the order of their ids, so that overlapping
// batches lock in the same order and cannot deadlock, and sets repetitions
// aside.
func plan(events []event.Event) (rows []row, repeated []int) {
	rows = make([]row, len(events))
	for i := range events {
		rows[i] = row{&events[i], i}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(compareIDs(a.ID, b.ID), a.index-b.index)
	})
	unique := rows[:1]
	for _, r := range rows[1:] {
		if r.ID == unique[len(unique)-1].ID {
			repeated = append(repeated, r.index)
			continue
		}
		unique = append(unique, r)
	}
	return unique, repeated
}

// without returns the indexes of the rows whose ids are not among ids. It takes
// both as [divide] does.
func without(rows []row, ids []uuid.UUID) []int {
	if len(ids) == len(rows) {
		return nil
	}
	rest, _ := divide(rows, ids)
	indexes := make([]int, len(rest))
	for i, r := range rest {
		indexes[i] = r.index
	}
	return indexes
}

// divide parts rows, which are in the order of their ids, by whether their ids
// are among ids: it returns the rows whose ids are not, in their order, and the
// indexes of the others. The first take the place of rows, and ids are sorted.
func divide(rows []row, ids []uuid.UUID) (rest []row, among []int) {
	if !slices.IsSortedFunc(ids, compareIDs) {
		slices.SortFunc(ids, compareIDs)
	}
	rest, among = rows[:0], make([]int, 0, len(ids))
	for _, r := range rows {
		for len(ids) > 0 && compareIDs(ids[0], r.ID) < 0 {
			ids = ids[1:]
		}
		if len(ids) > 0 && ids[0] == r.ID {
			among = append(among, r.index)
		} else {
			rest = append(rest, r)
		}
	}
	return rest, among
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
