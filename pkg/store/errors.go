package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// refused says that the database refuses content. It carries no cause: the
// database's own words may quote the event.
func refused(code, detail string) *event.Error {
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

// ended describes the end of a context, "" when err is none.
func ended(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time; it may have happened all the same"
	case errors.Is(err, context.Canceled):
		return "given up; it may have happened all the same"
	default:
		return ""
	}
}
