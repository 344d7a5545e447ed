package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// ErrSchemaBehind says that a migration this program knows is not applied.
var ErrSchemaBehind = errors.New("schema is behind")

// ErrSchemaUnfit says that somebody has changed the table of events, or its
// database, so that events cannot be stored as promised.
var ErrSchemaUnfit = errors.New("schema is unfit")

// Problem is something about the table of events, its role or its database that
// keeps events from being stored as promised.
type Problem struct {
	// Topic is table, permissions or encoding.
	Topic string
	// Object is what it is about, as `column tenant`.
	Object string
	// Detail says in a sentence what is wrong with it, Remedy what to do.
	Detail, Remedy string
}

// CheckSchema returns nil when every migration this program knows is applied,
// and nothing about the table keeps events from being stored; a schema that is
// newer will do. It only reads. The error is of KindUnavailable; where it is
// [ErrSchemaBehind] or [ErrSchemaUnfit] it says what is wrong and what to do.
func (s *Store) CheckSchema(ctx context.Context) error {
	list, err := s.MigrateStatus(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, m := range list {
		if m.AppliedAt.IsZero() {
			missing = append(missing, fullName(m.Name, m.Comment))
		}
	}
	if len(missing) > 0 {
		return event.Unavailable("check the schema", fmt.Errorf(
			"%w: %s not applied; run eventpulse migrate up", ErrSchemaBehind, strings.Join(missing, ", ")))
	}
	problems, err := s.backend.problems(ctx)
	if err != nil {
		return s.failed("check the schema", err)
	}
	if len(problems) > 0 {
		return event.Unavailable("check the schema", fmt.Errorf("%w: %s", ErrSchemaUnfit, describe(problems)))
	}
	return nil
}

func describe(problems []Problem) string {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = fmt.Sprintf("%s: %s (%s)", p.Object, p.Detail, p.Remedy)
	}
	return strings.Join(texts, "; ")
}
