package traffic

import (
	"math/rand/v2"
	"sync"

	"github.com/google/uuid"
)

// Outcome is what became of a request, as far as the producer can tell.
type Outcome uint8

// The outcomes.
const (
	Accepted Outcome = iota // 202
	Rejected                // 4xx
	Busy                    // 503
	Unclear                 // no answer, or one that says nothing
	Unsent                  // no connection: nothing was sent
	outcomes
)

// Entry is what is known of an event: its id, once known, and every kind of
// answer that a request with it had.
type Entry struct {
	ID     uuid.UUID // zero as long as nobody told
	Own    bool      // the id is the producer's
	Doomed bool      // sent as, or together with, an invalid event
	had    uint8     // a bit for each Outcome
}

// Had reports whether a request with the event ended like that.
func (e Entry) Had(o Outcome) bool { return e.had&(1<<o) != 0 }

// Ledger remembers every event that was ever sent. Its methods are safe for
// concurrent use.
type Ledger struct {
	Maker Maker

	mu      sync.Mutex
	entries []Entry
	again   []uint32 // a few recent events that may be posted again
}

// NewLedger returns an empty ledger of events by maker.
func NewLedger(maker Maker) *Ledger { return &Ledger{Maker: maker} }

// Add makes the next event and enters it.
func (l *Ledger) Add(doomed bool) Event {
	l.mu.Lock()
	number := uint32(len(l.entries))
	l.entries = append(l.entries, Entry{Doomed: doomed})
	l.mu.Unlock()

	e := l.Maker.Make(number)
	if e.ID == uuid.Nil {
		return e
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[number].ID, l.entries[number].Own = e.ID, true
	if !doomed {
		l.remember(number)
	}
	return e
}

// remember keeps number among those that Again chooses from.
func (l *Ledger) remember(number uint32) {
	const enough = 4096
	if len(l.again) < enough {
		l.again = append(l.again, number)
		return
	}
	l.again[rand.IntN(enough)] = number
}

// Again returns an event that was entered before, to be posted once more. It
// has an id of its own and is valid.
func (l *Ledger) Again() (Event, bool) {
	l.mu.Lock()
	if len(l.again) == 0 {
		l.mu.Unlock()
		return Event{}, false
	}
	number := l.again[rand.IntN(len(l.again))]
	l.mu.Unlock()
	return l.Maker.Make(number), true
}

// Answer enters what became of a request with the events.
func (l *Ledger) Answer(events []Event, o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		l.entries[events[i].Number].had |= 1 << o
	}
}

// Minted enters the id that an event was given.
func (l *Ledger) Minted(number uint32, id uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[number].ID = id
}

// ID returns the id of an event, zero as long as nobody told.
func (l *Ledger) ID(number uint32) uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[number].ID
}

// Accepted returns how many events have had a 202.
func (l *Ledger) Accepted() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.entries {
		if l.entries[i].Had(Accepted) {
			n++
		}
	}
	return n
}

// Entries returns a copy of all entries, by number.
func (l *Ledger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.entries...)
}
