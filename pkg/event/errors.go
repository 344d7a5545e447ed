package event

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what an error means for whoever must answer it, so that exactly
// one place turns it into a status, a retry or a dead letter.
type Kind uint8

const (
	// KindInternal is everything nobody classified: a defect.
	KindInternal Kind = iota
	// KindInvalid is input that can never be accepted as it stands.
	KindInvalid
	// KindTooLarge is input past a configured limit.
	KindTooLarge
	// KindUnavailable is a dependency or a bound that may be fine later:
	// the same thing tried again can succeed.
	KindUnavailable
	// KindRejected is a row that the database rejects for its content: the
	// same thing tried again fails again.
	KindRejected
	// KindBlocked is a row that the database does not take for a reason outside
	// of the event: a constraint or a trigger of its operator, or a condition
	// that nobody knows. Other rows may be taken now, and this one when
	// somebody has changed the database.
	KindBlocked
)

// String returns the kind as it stands in logs and metric labels.
func (k Kind) String() string {
	switch k {
	case KindInvalid:
		return "invalid"
	case KindTooLarge:
		return "too_large"
	case KindUnavailable:
		return "unavailable"
	case KindRejected:
		return "rejected"
	case KindBlocked:
		return "blocked"
	default:
		return "internal"
	}
}

// Problem is one thing wrong with the input.
type Problem struct {
	// Pointer is the RFC 6901 JSON Pointer of the offending value, from the
	// root of the request body: "" is the body itself, "/3/timestamp" a
	// field of the fourth event of a batch.
	Pointer string
	// Detail says in a sentence fragment what is wrong there.
	Detail string
}

// Error is a failure with a kind. It may carry what is wrong with the input,
// or the cause underneath.
type Error struct {
	Kind Kind
	// Detail is one sentence for the person who must act on it.
	Detail string
	// Problems are the offending values, in input order, never more than
	// Limits.MaxProblems.
	Problems []Problem
	// More counts the problems beyond those listed; it may be a lower bound.
	More int
	// RetryAfter is how long to wait before trying again; zero is unknown.
	RetryAfter time.Duration
	// Code is the cause's own code where it has one: a SQLSTATE.
	Code string
	// Quote is what the cause says in words of its own, which may quote an
	// event: it is for the dead letter, and never for a log or an answer.
	Quote string
	// Err is the cause; it may be nil.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Detail, e.Err)
	}
	if len(e.Problems) > 0 {
		return fmt.Sprintf("%s: %q: %s", e.Detail, e.Problems[0].Pointer, e.Problems[0].Detail)
	}
	return e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first [Error] in err's chain, KindInternal
// when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// Unavailable wraps err as something that may be fine later.
func Unavailable(detail string, err error) *Error {
	return &Error{Kind: KindUnavailable, Detail: detail, Err: err}
}
