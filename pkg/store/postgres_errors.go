package store

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/pgsession"
)

// SQLSTATEs that are judged by themselves:
// https://www.postgresql.org/docs/current/errcodes-appendix.html .
const (
	stateBadCharacter  = "22021"
	stateBadCopyFormat = "22P04"
	stateBadBinary     = "22P03"
	stateNotNull       = "23502"
	stateCheck         = "23514"
	statePrivilege     = "42501"
	stateCanceled      = "57014"
	stateLimit         = "54000"
	stateRaised        = "P0001"
	stateInternal      = "XX000"
)

// tooLargeMessage begins PostgreSQL's message for a value that would take more
// than its 1 GiB. It is of the class of internal errors, and yet about content.
// Only where the server speaks another language does it go unrecognised.
const tooLargeMessage = "invalid memory alloc request size"

// The names that are ours. Whatever else an error names is its operator's.
const ourTable = "events"

var ourColumns = []string{"event_id", "event_type", "source", "timestamp", "payload", "metadata", "created_at"}

// blame is what an error of the database is about.
type blame uint8

const (
	// onServer is the connection, the server or the schema: no event is stored,
	// whichever it is.
	onServer blame = iota
	// onContent is what the event holds: it is never stored.
	onContent
	// onDatabase is what somebody put into the database, or a condition that
	// nobody knows: it may concern one event and not its neighbours.
	onDatabase
)

// judge says what an error is about. The class of its SQLSTATE alone does not:
// a value that is missing in a column which is not ours is no content of an
// event.
func judge(e *pgsession.Error) blame {
	switch {
	case e.State == stateCanceled:
		return onDatabase // a batch may be too slow as a whole, an event by its trigger
	case pgsession.Transient(e.State):
		return onServer
	case e.State == stateBadBinary || e.State == stateBadCopyFormat:
		return onServer // a column has another type than ours
	case e.State == stateRaised:
		return onContent // RAISE EXCEPTION in a trigger, which says no to this event
	case e.State == stateInternal && strings.HasPrefix(e.Message, tooLargeMessage):
		return onContent
	}
	switch pgsession.Class(e.State) {
	case "22", "54":
		if e.Constraint != "" {
			return onDatabase // an index that is not ours cannot hold the row
		}
		return onContent
	case "23":
		return judgeConstraint(e)
	case "0A", "26", "34", "3F", "42":
		// What a statement of ours names is not there, not ours to use, or not
		// supported. A trigger may say the same of its own statements, and a
		// policy of one row.
		if e.Where != "" || e.Routine == "ExecWithCheckOptions" {
			return onDatabase
		}
		return onServer
	}
	return onDatabase
}

// judgeConstraint says whose constraint is violated. The table has none of ours
// that an event could violate but for its columns: a repeated id is no error.
func judgeConstraint(e *pgsession.Error) blame {
	switch {
	case e.Constraint != "":
		return onDatabase
	case e.Table != "" && e.Column == "":
		return onDatabase // no partition takes the row
	case e.Column != "" && (e.Table != ourTable || !slices.Contains(ourColumns, e.Column)):
		return onDatabase
	}
	return onContent
}

// conditions names SQLSTATEs and classes for people, and where it can what to
// do about them: PostgreSQL's own messages quote what they reject.
var conditions = map[string]string{
	"08":               "the connection failed",
	"0A":               "the table does not support it",
	"22":               "a value is not acceptable",
	"22001":            "a string is too long",
	"22003":            "a number is out of range",
	"22007":            "a timestamp is malformed",
	"22008":            "a timestamp is out of range",
	stateBadCharacter:  "a character is not acceptable",
	"22030":            "a JSON object repeats a key",
	"22032":            "JSON is malformed",
	"22P02":            "a value is malformed",
	stateBadBinary:     "a column of the table events has another type than the migrations gave it",
	stateBadCopyFormat: "the table events has other columns than the migrations gave it",
	"22P05":            "a character cannot be stored",
	"23":               "a constraint is violated",
	stateNotNull:       "a value is missing",
	"23503":            "a foreign key is violated",
	"23505":            "a unique key is violated",
	stateCheck:         "a check constraint is violated",
	"23P01":            "an exclusion constraint is violated",
	"28":               "the database refuses the login",
	"3D":               "the database does not exist",
	"40":               "the transaction was rolled back",
	statePrivilege:     "permission denied: the role needs INSERT and SELECT on the table events, and its owner's rights to migrate",
	"42P01":            "a table is missing: run eventpulse migrate up",
	"42P10":            "event_id alone is not unique in the table events",
	"42703":            "a column is missing: run eventpulse migrate up",
	"25006":            "the database is read-only",
	"44":               "the check option of a view is violated",
	"53":               "the database is out of resources",
	"53100":            "the database's disk is full",
	"53300":            "the database has too many connections",
	"54":               "a limit of the database is exceeded",
	"54001":            "the nesting is too deep",
	"55":               "a lock is held or the database is not ready",
	"57":               "the database ended the statement or is shutting down",
	stateCanceled:      "the statement took too long",
	"57P03":            "the database is starting up",
	"58":               "the database's system fails",
	stateRaised:        "a trigger raised an exception",
}

func condition(state string) string {
	if name, ok := conditions[state]; ok {
		return name
	}
	if name, ok := conditions[pgsession.Class(state)]; ok {
		return name
	}
	return "PostgreSQL fails"
}

// classify implements backend. An outage must never spend an event's chances:
// only what is about content is rejected.
func (p *postgres) classify(operation string, err error) *event.Error {
	if e, ok := errors.AsType[*event.Error](err); ok {
		return e
	}
	e, ok := pgsession.AsError(err)
	if !ok {
		return unavailable(operation, "", contextEnd(err), err)
	}
	detail := fmt.Sprintf("%s (SQLSTATE %s)%s", condition(e.State), e.State, namedBy(e))
	switch judge(e) {
	case onContent:
		code := e.State
		if code == stateInternal {
			code, detail = stateLimit, "a value is too large for its memory (SQLSTATE "+e.State+")"
		}
		r := rejected(code, operation+": PostgreSQL rejects it: "+detail)
		if e.State == stateRaised {
			r.Quote = e.Message
		}
		return r
	case onDatabase:
		return &event.Error{Kind: event.KindBlocked, Code: e.State, Detail: operation + ": PostgreSQL does not take it: " + detail}
	default:
		if pgsession.Transient(e.State) && e.Routine != "exec_stmt_raise" { // a trigger may say anything
			return unavailable(operation, e.State, condition(e.State), err)
		}
		// A message of a class that nobody thought of may quote anything.
		return unavailable(operation, e.State, detail, nil)
	}
}

// raisedIn reads the function out of the context of an error: "PL/pgSQL function
// check_event() line 3 at RAISE". What comes after may quote an event.
var raisedIn = regexp.MustCompile(`^PL/pgSQL function ([^\s"]+\([^()"]*\)) line (\d+)`)

// namedBy lists the objects that an error names: names in the schema are not
// content.
func namedBy(e *pgsession.Error) string {
	var b strings.Builder
	for _, named := range []struct{ what, name string }{
		{"table", e.Table}, {"column", e.Column}, {"constraint", e.Constraint}, {"type", e.DataType},
	} {
		if named.name != "" {
			fmt.Fprintf(&b, ", %s %q", named.what, named.name)
		}
	}
	if m := raisedIn.FindStringSubmatch(e.Where); m != nil {
		fmt.Fprintf(&b, ", function %s line %s", m[1], m[2])
	}
	return b.String()
}
