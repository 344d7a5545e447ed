package event

import (
	"errors"
	"fmt"
)

// The widest a limit may be set. They keep an accepted event within what the
// database can hold whatever the event is made of.
const (
	// Text grows in PostgreSQL. "1," is twelve bytes of jsonb, and "1e999,"
	// is read back as 1,002; an answer past 1 GiB cannot be given at all. What
	// is accepted must be readable.
	maxEventBytes  = 4 << 20
	maxBatchEvents = 100_000
	// PostgreSQL's own limit is its stack: about 24,000 levels by default.
	maxDepth = 10_000
	// An event is one level, its payload the second.
	minDepth    = 2
	maxProblems = 10_000
)

// Limits bound what is accepted as an event. Limits that fail [Limits.Validate]
// reject everything or bound nothing.
type Limits struct {
	// MaxEventBytes is the longest text of one event, from its opening to
	// its closing brace. [New], which has no such text, counts the values of
	// the strings and objects.
	MaxEventBytes int `config:"max_event_bytes" usage:"largest event accepted, in bytes of its JSON text"`
	// MaxBatchEvents is the most events of one batch.
	MaxBatchEvents int `config:"max_batch_events" usage:"most events accepted in one batch"`
	// MaxDepth is the deepest nesting of objects and arrays in an event. The
	// event itself is the first level, its payload the second; the array
	// around a batch does not count.
	MaxDepth int `config:"max_depth" usage:"deepest nesting of JSON objects and arrays in an event, the event itself being the first level"`
	// MaxProblems is the most problems listed in one [Error]; those beyond
	// are only counted.
	MaxProblems int `config:"max_problems" usage:"most problems listed in the answer to an invalid request"`
}

// DefaultLimits returns the limits for events of ordinary size.
func DefaultLimits() Limits {
	return Limits{
		MaxEventBytes:  256 << 10,
		MaxBatchEvents: 1000,
		MaxDepth:       64,
		MaxProblems:    100,
	}
}

// Validate reports every limit that is outside its range.
func (l Limits) Validate() error {
	return errors.Join(
		within("max_event_bytes", l.MaxEventBytes, 1, maxEventBytes),
		within("max_batch_events", l.MaxBatchEvents, 1, maxBatchEvents),
		within("max_depth", l.MaxDepth, minDepth, maxDepth),
		within("max_problems", l.MaxProblems, 1, maxProblems),
	)
}

func within(key string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("%s: %d is not within %d and %d", key, value, least, most)
	}
	return nil
}
