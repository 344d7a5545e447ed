package native

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/jsonscan"
)

// Parse reads body as the JSON text of one event, in one pass.
//
// The error is an [*event.Error]: [event.KindTooLarge] when the event is longer
// than l.MaxEventBytes; [event.KindInvalid] when body is not JSON (one problem,
// where that shows first) or breaks the rules of an event (a problem for each
// breach). JSON is rejected, too, when the database could not keep it as it was
// sent: duplicate names in an object, U+0000, surrogates without their other
// half, numbers of more than 131072 digits before or 16383 after the decimal
// point. So are exponents beyond 1000 either way, which PostgreSQL would write
// out.
//
// The event's strings are parts of body wherever they hold no escapes, so
// whoever keeps the event keeps the body alive. l must be valid. Parse is safe
// for concurrent use.
func Parse(body string, l event.Limits) (event.Event, error) {
	p := newParser(body, "event", l)
	return p.one()
}

// ParseBatch reads body as a JSON array of events, in one pass, and returns
// them in order. Either all of them are valid or the error is that of [Parse]
// for the whole batch, pointers starting with the index of the event. More than
// l.MaxBatchEvents events are [event.KindTooLarge]; none at all, or different
// ones of one id, are [event.KindInvalid].
//
// What Parse says about strings, l and concurrency holds here.
func ParseBatch(body string, l event.Limits) ([]event.Event, error) {
	p := newParser(body, "batch", l)
	return p.batch()
}

// parser applies the rules of an event to what its scanner walks over, with
// the scanner's own convention of offsets. Where the scanner stops at the
// first thing that is not JSON, the parser reports everything that is not an
// event and goes on.
type parser struct {
	jsonscan.Scanner
	body   string
	report event.Report
	limits event.Limits
	ids    int // of the producer's own so far
}

func newParser(body, subject string, l event.Limits) parser {
	return parser{
		Scanner: jsonscan.New(body, l.MaxDepth),
		body:    body,
		report:  event.NewReport(subject, l.MaxProblems),
		limits:  l,
	}
}

// eventDepth is the depth of nesting at which an event stands, alone or in a
// batch: what is accepted one way is accepted the other.
const eventDepth = 1

// start returns where the body's value starts.
func (p *parser) start() int {
	i := p.Space(0)
	if i == len(p.body) {
		return p.Fail(i, "the body is empty")
	}
	return i
}

func (p *parser) one() (event.Event, error) {
	var e event.Event
	i := p.start()
	if i >= 0 {
		if len(strings.TrimRight(p.body[i:], jsonscan.WhiteSpace)) > p.limits.MaxEventBytes {
			p.report.AddTooLarge(event.Whole, p.limits.MaxEventBytes)
			return event.Event{}, p.report.Err()
		}
		i = p.event(i, event.Whole, &e)
	}
	if err := p.finish(i); err != nil {
		return event.Event{}, err
	}
	return e, nil
}

func (p *parser) batch() ([]event.Event, error) {
	i := p.start()
	if i < 0 {
		return nil, p.finish(i)
	}
	if c := p.At(i); c != '[' {
		p.report.Add(event.Whole, "must be a JSON array of events, not "+kindOfValue(c))
		return nil, p.finish(p.Value(i, eventDepth))
	}
	var events []event.Event
	i, more := p.First(i, ']')
	if !more {
		p.report.Add(event.Whole, "must hold at least one event")
	}
	for n := 0; more; n++ {
		if n == p.limits.MaxBatchEvents {
			return nil, tooManyEvents(n)
		}
		start, at := i, event.Element(n)
		var e event.Event
		if i = p.event(start, at, &e); i < 0 {
			p.Inside(strconv.Itoa(n))
			break
		}
		size := i - start
		if size > p.limits.MaxEventBytes {
			p.report.AddTooLarge(at, p.limits.MaxEventBytes)
		}
		if p.report.Empty() {
			if events == nil {
				// Events of a batch are alike: the first tells how many
				// there are likely to be.
				events = make([]event.Event, 0, min(p.limits.MaxBatchEvents, (len(p.body)-start)/size+1))
			}
			events = append(events, e)
		}
		i, more = p.Next(i, ']')
	}
	if i >= 0 && p.report.Empty() {
		p.reportConflicts(events)
	}
	if err := p.finish(i); err != nil {
		return nil, err
	}
	return events, nil
}

// finish returns what is wrong with the body after its value ended at i, or
// failed.
func (p *parser) finish(i int) error {
	if i >= 0 {
		if i = p.Space(i); i < len(p.body) {
			i = p.Expected(i, "nothing after the "+p.report.Subject())
		}
	}
	if i < 0 {
		return &event.Error{
			Kind:     event.KindInvalid,
			Detail:   "the body is not JSON that can be accepted",
			Problems: []event.Problem{event.Problem(p.Problem())},
		}
	}
	return p.report.Err()
}

func tooManyEvents(limit int) *event.Error {
	return &event.Error{
		Kind:     event.KindTooLarge,
		Detail:   "the batch has too many events",
		Problems: []event.Problem{{Detail: fmt.Sprintf("must not hold more than %d events", limit)}},
	}
}
