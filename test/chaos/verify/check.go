// Package verify compares what is stored with what was sent and answered.
package verify

import (
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/test/chaos/load"
)

// Row is a stored event.
type Row struct {
	ID                uuid.UUID
	Type, Source      string
	Micros            int64 // the timestamp, since 1970
	Payload, Metadata string
}

// Allowed is what a fault takes away by its nature, so that its loss is
// reported and does not count against EventPulse.
type Allowed struct {
	// Removed holds the ids that Redis was told to forget, or that the database
	// was told to drop and that are dead letters.
	Removed map[uuid.UUID]bool
	// Damaged is how many events were damaged on disk, and found to be.
	Damaged int
}

// Report is the outcome of a check.
type Report struct {
	Sent     int // events, each counted once however often it was posted
	Accepted int // of them, those with a 202
	Unclear  int // of the others, those that may or may not be stored
	Stored   int // rows

	Lost    int // accepted and not stored
	Twice   int // stored more than once
	Altered int // stored otherwise than sent
	Extra   int // stored, and never sent or refused
	Removed int // accepted and not stored, as [Allowed]
	Damaged int // likewise

	Examples []string // the first few of what is wrong
}

// OK reports whether nothing is wrong.
func (r Report) OK() bool { return r.Lost+r.Twice+r.Altered+r.Extra == 0 }

// Check compares the rows with the sent. It fails only when the rows cannot
// be read.
func Check(sent *load.SentLog, rows iter.Seq2[Row, error], allowed Allowed) (Report, error) {
	c := newChecker(sent)
	for row, err := range rows {
		if err != nil {
			return c.report, fmt.Errorf("read stored events: %w", err)
		}
		c.row(row)
	}
	c.missing(allowed)
	return c.report, nil
}

// checker goes through the rows in any order.
type checker struct {
	maker   load.Maker
	entries []load.Entry
	byID    []uint32 // numbers of the entries with an id, sorted by it
	seen    []bool   // by number
	report  Report
}

func newChecker(sent *load.SentLog) *checker {
	c := &checker{maker: sent.Maker, entries: sent.Entries()}
	c.seen = make([]bool, len(c.entries))
	for n, e := range c.entries {
		if e.ID != uuid.Nil {
			c.byID = append(c.byID, uint32(n))
		}
		c.report.Sent++
		switch {
		case e.Had(load.Accepted):
			c.report.Accepted++
		case mayBeStored(e):
			c.report.Unclear++
		}
	}
	slices.SortFunc(c.byID, func(a, b uint32) int { return compare(c.entries[a].ID, c.entries[b].ID) })
	return c
}

func compare(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

// mayBeStored reports whether an event without a 202 may have arrived: its
// answer is missing, or was a 503, which does not say what happened before.
func mayBeStored(e load.Entry) bool { return e.Had(load.Unclear) || e.Had(load.Busy) }

// row judges one stored event.
func (c *checker) row(row Row) {
	c.report.Stored++
	number, ok := c.find(row)
	if !ok {
		c.extra(row, "was never sent")
		return
	}
	e := c.entries[number]
	switch {
	case c.seen[number]:
		c.report.Twice++
		c.example("twice: event %d is stored again as %s", number, row.ID)
		return
	case e.ID != uuid.Nil && e.ID != row.ID:
		c.extra(row, fmt.Sprintf("is event %d, whose id is %s", number, e.ID))
		return
	case !e.Had(load.Accepted) && !mayBeStored(e):
		c.extra(row, fmt.Sprintf("is event %d, which was refused or never left", number))
		return
	}
	c.seen[number] = true
	if what := difference(c.maker.Make(number), row); what != "" {
		c.report.Altered++
		c.example("altered: event %d (%s): %s", number, row.ID, what)
	}
}

// find returns the number of the event that the row is, by its id or, when
// the id was never told, by its source.
func (c *checker) find(row Row) (uint32, bool) {
	at, ok := slices.BinarySearchFunc(c.byID, row.ID, func(n uint32, id uuid.UUID) int { return compare(c.entries[n].ID, id) })
	if ok {
		return c.byID[at], true
	}
	number, ok := load.NumberOf(row.Source)
	return number, ok && int(number) < len(c.entries)
}

func (c *checker) extra(row Row, why string) {
	c.report.Extra++
	c.example("extra: %s (source %q) %s", row.ID, shorten(row.Source), why)
}

// missing judges the accepted events that no row was.
func (c *checker) missing(allowed Allowed) {
	for n, e := range c.entries {
		if c.seen[n] || !e.Had(load.Accepted) {
			continue
		}
		switch {
		case allowed.Removed[e.ID]:
			c.report.Removed++
		case c.report.Damaged < allowed.Damaged:
			c.report.Damaged++
		default:
			c.report.Lost++
			c.example("lost: event %d (%s)", n, e.ID)
		}
	}
}

// difference says in what a row is not the event, "" when it is.
func difference(e load.Event, row Row) string {
	switch {
	case row.Type != e.Type:
		return fmt.Sprintf("event_type is %q, was %q", row.Type, e.Type)
	case row.Source != e.Source:
		return fmt.Sprintf("source is %q, was %q", row.Source, e.Source)
	case row.Micros != e.Time.UnixMicro():
		return fmt.Sprintf("timestamp is %d µs, was %d", row.Micros, e.Time.UnixMicro())
	case !Equal(row.Payload, e.Payload):
		return fmt.Sprintf("payload is %s, was %s", shorten(row.Payload), shorten(e.Payload))
	case !Equal(row.Metadata, e.Metadata):
		return fmt.Sprintf("metadata is %s, was %s", shorten(row.Metadata), shorten(e.Metadata))
	}
	return ""
}

func (c *checker) example(format string, args ...any) {
	const enough = 10
	if len(c.report.Examples) < enough {
		c.report.Examples = append(c.report.Examples, fmt.Sprintf(format, args...))
	}
}
