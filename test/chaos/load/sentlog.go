package load

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
	ID      uuid.UUID // zero as long as nobody told
	Own     bool      // the id is the producer's
	Invalid bool      // sent as, or together with, an invalid event
	had     uint8     // a bit for each Outcome
}

// Had reports whether a request with the event ended like that.
func (e Entry) Had(o Outcome) bool { return e.had&(1<<o) != 0 }

// SentLog remembers every event that was ever sent. Its methods are safe for
// concurrent use.
type SentLog struct {
	Maker Maker

	mu      sync.Mutex
	entries []Entry
	again   []uint32 // a few recent events that may be posted again
}

// NewSentLog returns an empty sent of events by maker.
func NewSentLog(maker Maker) *SentLog { return &SentLog{Maker: maker} }

// Add makes the next event and enters it.
func (l *SentLog) Add(invalid bool) Event {
	l.mu.Lock()
	number := uint32(len(l.entries))
	l.entries = append(l.entries, Entry{Invalid: invalid})
	l.mu.Unlock()

	e := l.Maker.Make(number)
	if e.ID == uuid.Nil {
		return e
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[number].ID, l.entries[number].Own = e.ID, true
	if !invalid {
		l.remember(number)
	}
	return e
}

// remember keeps number among those that Again chooses from.
func (l *SentLog) remember(number uint32) {
	const enough = 4096
	if len(l.again) < enough {
		l.again = append(l.again, number)
		return
	}
	l.again[rand.IntN(enough)] = number
}

// Again returns an event that was entered before, to be posted once more. It
// has an id of its own and is valid.
func (l *SentLog) Again() (Event, bool) {
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
func (l *SentLog) Answer(events []Event, o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		l.entries[events[i].Number].had |= 1 << o
	}
}

// Minted enters the id that an event was given.
func (l *SentLog) Minted(number uint32, id uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[number].ID = id
}

// ID returns the id of an event, zero as long as nobody told.
func (l *SentLog) ID(number uint32) uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[number].ID
}

// Accepted returns how many events have had a 202.
func (l *SentLog) Accepted() (n int) {
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
func (l *SentLog) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Entry(nil), l.entries...)
}
