package store

import (
	"errors"
	"strconv"

	sqlite3 "modernc.org/sqlite"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// classify implements backend: what is wrong with the data is rejected, a
// database that is busy, full or broken is waited for.
func (s *sqlite) classify(operation string, err error) *event.Error {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e
	}
	e, ok := errors.AsType[*sqlite3.Error](err)
	if !ok {
		return unavailable(operation, "", contextEnd(err), err)
	}
	code := "SQLITE-" + strconv.Itoa(e.Code())
	const tooBig, constraint, mismatch = 18, 19, 20 // primary result codes
	switch e.Code() & 0xff {
	case tooBig:
		return rejected(code, operation+": SQLite rejects it: too big")
	case constraint:
		return rejected(code, operation+": SQLite rejects it: a constraint is violated")
	case mismatch:
		return rejected(code, operation+": SQLite rejects it: a value is of the wrong type")
	default:
		return unavailable(operation, code, contextEnd(err), err)
	}
}
