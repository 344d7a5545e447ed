package deadletter

import (
	"strconv"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// Selection says which dead letters are meant: those with the ids where there
// are any, else those that match everything else. The zero Selection means all
// of them.
type Selection struct {
	IDs []string
	// Type and Source are compared with the event's, Reason with the dead
	// letter's reason and with its code.
	Type, Source, Reason string
	// Group is the consumer group that could not process the event.
	Group string
	// OlderThan and NewerThan bound the time since an event was
	// dead-lettered; 0 does not.
	OlderThan, NewerThan time.Duration
	// Limit bounds how many, the oldest first; 0 does not.
	Limit int64
}

// All reports whether everything is meant but for a Limit.
func (sel Selection) All() bool {
	return len(sel.IDs) == 0 && sel.Type == "" && sel.Source == "" && sel.Reason == "" && sel.Group == "" && sel.OlderThan == 0 && sel.NewerThan == 0
}

func (sel Selection) matches(l stream.DeadLetter) bool {
	return (sel.Type == "" || Field(l, event.FieldType) == sel.Type) &&
		(sel.Source == "" || Field(l, event.FieldSource) == sel.Source) &&
		(sel.Reason == "" || l.Reason == sel.Reason || l.Code == sel.Reason) &&
		(sel.Group == "" || l.Group == sel.Group)
}

// bounds returns the ids between which the dead letters of a selection lie, ""
// where there is no bound: an id begins with the time of dead-lettering.
func (sel Selection) bounds(now time.Time) (after, before string) {
	at := func(age time.Duration) string {
		return strconv.FormatInt(max(now.Add(-age).UnixMilli(), 0), 10) + "-0"
	}
	if sel.NewerThan > 0 {
		after = at(sel.NewerThan)
	}
	if sel.OlderThan > 0 {
		before = at(sel.OlderThan)
	}
	return after, before
}

// scan goes over pages of dead letters and picks those that match.
type scan struct {
	sel Selection
	// last is the id behind which dead letters are new, before the id at which
	// the selection ends, "" for none.
	last, before    string
	looked, matched int64
	// done says that no later page holds anything of the selection.
	done bool
}

// take returns what matches of a page.
func (s *scan) take(page []stream.DeadLetter) (chosen []stream.DeadLetter) {
	s.done = len(page) == 0
	for _, l := range page {
		if s.ends(l.ID) {
			s.done = true
			return chosen
		}
		s.looked++
		if s.sel.matches(l) {
			s.matched++
			chosen = append(chosen, l)
		}
	}
	return chosen
}

func (s *scan) ends(id string) bool {
	return stream.CompareIDs(id, s.last) > 0 ||
		s.before != "" && stream.CompareIDs(id, s.before) >= 0 ||
		s.sel.Limit > 0 && s.matched == s.sel.Limit
}

// Field returns the first value of that field of the event, "" without one.
func Field(l stream.DeadLetter, name string) string {
	for i := 0; i+1 < len(l.Fields); i += 2 {
		if l.Fields[i] == name {
			return l.Fields[i+1]
		}
	}
	return ""
}
