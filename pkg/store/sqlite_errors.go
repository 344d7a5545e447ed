package store

import (
	"errors"
	"strconv"

	sqlite3 "modernc.org/sqlite"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Result codes, and the part of one that says which it is primarily:
// https://www.sqlite.org/rescode.html .
const (
	codeBusy       = 5
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	primaryCode    = 0xff
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
	switch e.Code() & primaryCode {
	case codeTooBig:
		return rejected(code, operation+": SQLite rejects it: too big")
	case codeConstraint:
		return rejected(code, operation+": SQLite rejects it: a constraint is violated")
	case codeMismatch:
		return rejected(code, operation+": SQLite rejects it: a value is of the wrong type")
	default:
		return unavailable(operation, code, contextEnd(err), err)
	}
}
