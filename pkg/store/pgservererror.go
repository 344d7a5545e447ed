package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/uptrace/bun/driver/pgdriver"
)

// serverError is an error that PostgreSQL itself has sent: the driver's type
// or ours.
type serverError interface {
	error
	// Field returns one of the fields of an ErrorResponse: C is the SQLSTATE,
	// M the message, c a column, n a constraint.
	Field(kind byte) string
}

var (
	_ serverError = pgdriver.Error{}
	_ serverError = (*postgresError)(nil)
)

// postgresError is an ErrorResponse read past the driver, whose own type cannot
// be made outside of it.
type postgresError struct{ fields map[byte]string }

func (e *postgresError) Field(kind byte) string { return e.fields[kind] }

func (e *postgresError) Error() string {
	return fmt.Sprintf("%s: %s (SQLSTATE %s)", e.Field('S'), e.Field('M'), e.Field('C'))
}

// parsePostgresError reads the fields of an ErrorResponse as far as they go.
func parsePostgresError(body []byte) *postgresError {
	e := &postgresError{fields: map[byte]string{}}
	for len(body) > 1 && body[0] != 0 {
		value, rest, _ := bytes.Cut(body[1:], []byte{0})
		e.fields[body[0]] = string(value)
		body = rest
	}
	return e
}

// stateOf returns the SQLSTATE of an error, "" when PostgreSQL did not send it.
func stateOf(err error) string {
	if e, ok := errors.AsType[serverError](err); ok {
		return e.Field('C')
	}
	return ""
}
