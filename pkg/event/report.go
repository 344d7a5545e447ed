package event

import (
	"fmt"
	"strconv"
)

const isRequired = "is required"

// emptyObject stands for an absent payload or metadata.
const emptyObject = "{}"

// place is where an event stands in the body: the index of a batch's event
// plus one, or nowhere, which is the body itself.
type place int

const nowhere place = 0

func index(n int) place { return place(n + 1) }

// report collects what is wrong with one body or stream entry, in order. It
// lists only so many problems: what is invalid a million times over must not
// cost a million strings.
type report struct {
	// subject is what is being reported on, in a word.
	subject  string
	most     int
	problems []Problem
	more     int
	large    bool
}

func (r *report) empty() bool { return len(r.problems) == 0 && r.more == 0 }

// add reports a problem with the event at where, or with its field when one is
// named.
func (r *report) add(where place, detail string, field ...string) {
	if len(r.problems) >= r.most {
		r.more++
		return
	}
	path := field
	if where != nowhere {
		path = append(path, strconv.Itoa(int(where)-1))
	}
	r.problems = append(r.problems, Problem{Pointer: pointer(path), Detail: detail})
}

// tooLarge reports an event longer than so many bytes. It makes the kind of
// the whole error.
func (r *report) tooLarge(where place, limit int) {
	r.large = true
	r.add(where, fmt.Sprintf("must not be longer than %d bytes", limit))
}

// err returns the report as an error, nil when there is nothing to report.
func (r *report) err() error {
	if r.empty() {
		return nil
	}
	kind, detail := KindInvalid, "the "+r.subject+" is not valid"
	if r.large {
		kind, detail = KindTooLarge, "an event is too large"
	}
	return &Error{Kind: kind, Detail: detail, Problems: r.problems, More: r.more}
}

func tooManyEvents(limit int) *Error {
	return &Error{
		Kind:     KindTooLarge,
		Detail:   "the batch has too many events",
		Problems: []Problem{{Detail: fmt.Sprintf("must not hold more than %d events", limit)}},
	}
}
