package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

// The SQLSTATEs that more than this table needs by name.
const (
	stateBadCharacter = "22021"
	stateLimit        = "54000"
	stateInternal     = "XX000"
)

// tooLargeMessage begins PostgreSQL's message for a value that would take more
// than its 1 GiB. It is of the class of internal errors, and yet about content.
// Only where the server speaks another language does it go unrecognised.
const tooLargeMessage = "invalid memory alloc request size"

// rejections names the conditions under which PostgreSQL rejects content, for
// people: its own messages quote what they reject. They are not complete,
// their classes decide.
var rejections = map[string]string{
	"22":              "the value is not acceptable",
	"22001":           "a string is too long",
	"22003":           "a number is out of range",
	"22007":           "a timestamp is malformed",
	"22008":           "a timestamp is out of range",
	stateBadCharacter: "a character is not acceptable",
	"22023":           "a value is not acceptable",
	"22030":           "a JSON object repeats a key",
	"22032":           "JSON is malformed",
	"22P02":           "a value is malformed",
	"22P05":           "a character cannot be stored",
	"23":              "a constraint is violated",
	"23502":           "a value is missing",
	"23503":           "a foreign key is violated",
	"23505":           "a unique key is violated",
	"23514":           "a check constraint is violated",
	"54":              "a limit of the database is exceeded",
	"54001":           "the nesting is too deep",
}

// waits says what to do about conditions that will not go away by themselves.
var waits = map[string]string{
	"08":    "the connection failed",
	"28":    "the database refuses the login",
	"3D":    "the database does not exist",
	"40":    "the transaction was rolled back",
	"42501": "permission denied: the role needs INSERT and SELECT on the table events, and its owner's rights to migrate",
	"42P01": "a table is missing: run eventpulse migrate up",
	"42703": "a column is missing: run eventpulse migrate up",
	"25006": "the database is read-only",
	"53":    "the database is out of resources",
	"53100": "the database's disk is full",
	"53300": "the database has too many connections",
	"55":    "a lock is held or the database is not ready",
	"57":    "the database ended the statement or is shutting down",
	"57014": "the statement took too long",
	"57P03": "the database is starting up",
	"58":    "the database's system fails",
}

// classify implements backend.
//
// Classes 22 and 23 are about content. So is 54: what is too big or too deep
// for jsonb is so for ever, and a batch that is too big is divided like one
// that holds such a row. All else, known or not, is worth waiting for: an
// outage must never spend an event's chances.
func (p *postgres) classify(operation string, err error) *event.Error {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e
	}
	if e, ok := pgsession.AsError(err); ok {
		return classifyState(operation, e, err)
	}
	return unavailable(operation, "", contextEnd(err), err)
}

func classifyState(operation string, e *pgsession.Error, err error) *event.Error {
	code := e.State
	if code == stateInternal && strings.HasPrefix(e.Message, tooLargeMessage) {
		return rejected(stateLimit, operation+": PostgreSQL rejects it: a value is too large for its memory (SQLSTATE "+code+")")
	}
	switch {
	case isRejection(code):
		detail := fmt.Sprintf("%s: PostgreSQL rejects it: %s (SQLSTATE %s)", operation, condition(rejections, code), code)
		// Names in the schema are not content.
		for _, named := range []struct {
			what, name string
		}{{"column", e.Column}, {"constraint", e.Constraint}} {
			if named.name != "" {
				detail += fmt.Sprintf(", %s %q", named.what, named.name)
			}
		}
		return rejected(code, detail)
	case pgsession.Transient(code):
		return unavailable(operation, code, condition(waits, code), err)
	default:
		// A message of a class nobody thought of may quote anything.
		advice := condition(waits, code)
		if advice == "" {
			advice = "PostgreSQL fails"
		}
		return unavailable(operation, code, fmt.Sprintf("%s (SQLSTATE %s)", advice, code), nil)
	}
}

// isRejection says whether a SQLSTATE is about content.
func isRejection(code string) bool {
	switch pgsession.Class(code) {
	case "22", "23", "54":
		return true
	}
	return false
}

// condition looks up a SQLSTATE, then its class.
func condition(names map[string]string, code string) string {
	if name, ok := names[code]; ok {
		return name
	}
	return names[pgsession.Class(code)]
}
