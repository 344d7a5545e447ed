package pgsession

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/uptrace/bun/driver/pgdriver"
)

// Error is an error that PostgreSQL sent, with the fields that programs go by:
// https://www.postgresql.org/docs/current/protocol-error-fields.html .
//
// Schema, Table, Column, DataType and Constraint name the object that the error
// is about, where the server knows one. Message, Detail and Where may quote
// the values of a row.
type Error struct {
	Severity string
	// State is the SQLSTATE: five characters, the first two are its class.
	State                                       string
	Message, Detail, Where                      string
	Schema, Table, Column, DataType, Constraint string
	// Routine is the function in the server's source that reported the error.
	// Unlike a message it is never translated.
	Routine string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (SQLSTATE %s)", e.Severity, e.Message, e.State)
}

// AsError returns the error of the server in err's chain, whether this package
// read it or the driver. It reports false when the server sent none, as when a
// connection breaks.
func AsError(err error) (*Error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e, true
	}
	if e, ok := errors.AsType[pgdriver.Error](err); ok {
		return newError(e.Field), true
	}
	return nil, false
}

// State returns the SQLSTATE of an error, "" when the server did not send it.
func State(err error) string {
	if e, ok := AsError(err); ok {
		return e.State
	}
	return ""
}

// Class returns the class of a SQLSTATE, its first two characters:
// https://www.postgresql.org/docs/current/errcodes-appendix.html .
func Class(state string) string { return state[:min(2, len(state))] }

// Transient reports whether a SQLSTATE is about the connection, the
// transaction or the server rather than about what a statement says: the same
// statement can succeed later, without anybody changing it.
func Transient(state string) bool {
	switch Class(state) {
	case "08", // connection exception
		"25", // invalid transaction state: read-only, or left in a failed one
		"28", // invalid authorization
		"3D", // invalid catalog name: the database does not exist
		"40", // transaction rollback: deadlock, serialization failure
		"53", // insufficient resources: disk, memory, connections
		"55", // object not in prerequisite state: a lock is held
		"57", // operator intervention: shutdown, cancelled, starting up
		"58": // system error: input and output
		return true
	}
	return false
}

// stateReadOnly is read_only_sql_transaction.
const stateReadOnly = "25006"

// newError takes the fields of an error by their type byte.
func newError(field func(byte) string) *Error {
	return &Error{
		Severity: field('S'), State: field('C'),
		Message: field('M'), Detail: field('D'), Where: field('W'),
		Schema: field('s'), Table: field('t'), Column: field('c'), DataType: field('d'), Constraint: field('n'),
		Routine: field('R'),
	}
}

// parseError reads the fields of an ErrorResponse as far as they go.
func parseError(body []byte) *Error {
	fields := map[byte]string{}
	for len(body) > 1 && body[0] != 0 {
		value, rest, _ := bytes.Cut(body[1:], []byte{0})
		fields[body[0]] = string(value)
		body = rest
	}
	return newError(func(kind byte) string { return fields[kind] })
}
