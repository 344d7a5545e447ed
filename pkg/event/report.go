package event

import (
	"strconv"

	"github.com/eventpulse/eventpulse/pkg/internal/jsonscan"
)

// Place is where an event stands in what is reported on: [Whole], or an
// [Element] of a batch.
type Place int

// Whole is the body or stream entry itself.
const Whole Place = 0

// Element is the event of a batch at index n, from 0.
func Element(n int) Place { return Place(n + 1) }

// Report collects what is wrong with one body or stream entry, in order. It
// lists only so many problems: what is invalid a million times over must not
// cost a million strings.
type Report struct {
	// subject is what is being reported on, in a word.
	subject  string
	max      int
	problems []Problem
	more     int
	large    bool
}

// NewReport returns a report on a subject, such as "event" or "batch", that
// lists at most max problems and counts the others.
func NewReport(subject string, max int) Report { return Report{subject: subject, max: max} }

// Subject returns what is being reported on.
func (r *Report) Subject() string { return r.subject }

// Empty reports whether nothing is wrong so far.
func (r *Report) Empty() bool { return len(r.problems) == 0 && r.more == 0 }

// Add reports a problem with the event at a place, or with its field when one
// is named.
func (r *Report) Add(at Place, detail string, field ...string) {
	if len(r.problems) >= r.max {
		r.more++
		return
	}
	path := field
	if at != Whole {
		path = append(path, strconv.Itoa(int(at)-1))
	}
	r.add(Problem{Pointer: jsonscan.Pointer(path), Detail: detail})
}

// add lists p, or counts it where the list is full.
func (r *Report) add(p Problem) {
	if len(r.problems) >= r.max {
		r.more++
		return
	}
	r.problems = append(r.problems, p)
}

// AddError reports the problems of err, which [New] returned for the event at
// a place.
func (r *Report) AddError(at Place, err *Error) {
	r.large = r.large || err.Kind == KindTooLarge
	r.more += err.More
	prefix := ""
	if at != Whole {
		prefix = "/" + strconv.Itoa(int(at)-1)
	}
	for _, p := range err.Problems {
		r.add(Problem{Pointer: prefix + p.Pointer, Detail: p.Detail})
	}
}

// AddTooLarge reports an event longer than limit bytes. It makes the kind of the
// whole error [KindTooLarge].
func (r *Report) AddTooLarge(at Place, limit int) {
	r.large = true
	r.Add(at, tooLarge(limit))
}

// Err returns the report as an [*Error], nil when there is nothing to report.
func (r *Report) Err() error {
	if r.Empty() {
		return nil
	}
	kind, detail := KindInvalid, "the "+r.subject+" is not valid"
	if r.large {
		kind, detail = KindTooLarge, "an event is too large"
	}
	return &Error{Kind: kind, Detail: detail, Problems: r.problems, More: r.more}
}
