package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// rejected says that the database rejects content. It carries no cause: the
// database's own message may quote the event.
func rejected(code, detail string) *event.Error {
	return &event.Error{Kind: event.KindRejected, Code: code, Detail: detail}
}

// unavailable says that waiting is right.
func unavailable(operation, code, advice string, err error) *event.Error {
	detail := operation
	if advice != "" {
		detail = fmt.Sprintf("%s: %s", operation, advice)
	}
	e := event.Unavailable(detail, err)
	e.Code = code
	return e
}

// contextEnd describes the end of a context, "" when err is none.
func contextEnd(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time; it may have happened all the same"
	case errors.Is(err, context.Canceled):
		return "cancelled; it may have happened all the same"
	default:
		return ""
	}
}

// failed says what an error of anything but an insert means: that it may be fine
// later.
func (s *Store) failed(operation string, err error) *event.Error {
	e := s.backend.classify(operation, err)
	if e.Kind == event.KindRejected || e.Kind == event.KindBlocked {
		e.Kind = event.KindUnavailable
	}
	return e
}
