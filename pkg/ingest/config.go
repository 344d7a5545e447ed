package ingest

import (
	"errors"
	"fmt"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// What an answer waits for.
const (
	// AckStream answers once every event of the request is durable.
	AckStream = "stream"
	// AckNone answers once the events wait in memory to be published: they
	// are lost if the process is killed, or if they cannot be published.
	AckNone = "none"
)

// Config is what is accepted, and what an answer waits for.
type Config struct {
	Ack         string `config:"ack" usage:"what an answer waits for: stream, until the events are safe, or none, which loses accepted events when the process is killed"`
	QueueEvents int    `config:"queue_events" usage:"most accepted events that wait to be published with ingest.ack none; past it the answer is 503"`
	QueueBytes  int64  `config:"queue_bytes" usage:"most bytes of accepted events that wait to be published with ingest.ack none; past it the answer is 503"`
	event.Limits
}

// DefaultConfig returns a configuration that answers for safe events only.
func DefaultConfig() Config {
	return Config{Ack: AckStream, QueueEvents: 50_000, QueueBytes: 64 << 20, Limits: event.DefaultLimits()}
}

// Validate names every setting that cannot be worked with.
func (c Config) Validate() error {
	var errs []error
	if c.Ack != AckStream && c.Ack != AckNone {
		errs = append(errs, fmt.Errorf("ingest.ack is %q: must be %s or %s", c.Ack, AckStream, AckNone))
	}
	if c.QueueEvents < 1 {
		errs = append(errs, fmt.Errorf("ingest.queue_events is %d: must be at least 1", c.QueueEvents))
	}
	if c.QueueBytes < 1<<10 {
		errs = append(errs, fmt.Errorf("ingest.queue_bytes is %d: must be at least 1024", c.QueueBytes))
	}
	return errors.Join(append(errs, c.Limits.Validate())...)
}
