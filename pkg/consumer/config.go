package consumer

import (
	"errors"
	"fmt"
	"time"
)

// Config is how a consumer consumes.
type Config struct {
	Consumer        string        `config:"consumer" usage:"name of this consumer in the group; empty is the host name"`
	BatchSize       int           `config:"batch_size" usage:"most events written to the database in one statement"`
	BatchBytes      int           `config:"batch_bytes" usage:"bytes of events read and written at once, roughly: reads shrink when events are large"`
	Concurrency     int           `config:"concurrency" usage:"batches written at the same time, each on a database connection of its own"`
	Block           time.Duration `config:"block" usage:"longest wait for new events in one read"`
	ClaimAfter      time.Duration `config:"claim_after" usage:"how long a delivery may be idle with a consumer before another claims it; longer than a batch ever takes"`
	ConsumerExpiry  time.Duration `config:"consumer_expiry" usage:"how long a consumer must have been idle, and hold nothing, to be removed from the group"`
	TrimInterval    time.Duration `config:"trim_interval" usage:"how often entries that every group is done with are removed from the stream; 0 never removes any"`
	ShutdownTimeout time.Duration `config:"shutdown_timeout" usage:"longest wait for the batches in hand after a stop signal"`
	WaitForSchema   bool          `config:"wait_for_schema" usage:"wait for a schema that is behind instead of exiting"`
}

// DefaultConfig returns the settings where nothing else is configured.
func DefaultConfig() Config {
	return Config{
		BatchSize:  1000,
		BatchBytes: 8 << 20,
		// The third batch is read while two are written: it is worth a tenth
		// of the rate on two processors, a fourth nothing.
		Concurrency:     3,
		Block:           5 * time.Second,
		ClaimAfter:      time.Minute,
		ConsumerExpiry:  time.Hour,
		TrimInterval:    time.Second,
		ShutdownTimeout: 10 * time.Second,
		WaitForSchema:   true,
	}
}

// Validate names every setting that cannot be worked with.
func (c Config) Validate() error {
	var errs []error
	atLeast := func(key string, v, low int) {
		if v < low {
			errs = append(errs, fmt.Errorf("worker.%s is %d: must be at least %d", key, v, low))
		}
	}
	atLeast("batch_size", c.BatchSize, 1)
	atLeast("batch_bytes", c.BatchBytes, 1<<10)
	atLeast("concurrency", c.Concurrency, 1)
	if c.BatchSize > 10000 {
		errs = append(errs, fmt.Errorf("worker.batch_size is %d: must be at most 10000", c.BatchSize))
	}
	if c.Concurrency > 64 {
		errs = append(errs, fmt.Errorf("worker.concurrency is %d: must be at most 64", c.Concurrency))
	}
	if c.Block < time.Millisecond || c.Block > time.Minute {
		errs = append(errs, fmt.Errorf("worker.block is %s: must be 1ms to 1m", c.Block))
	}
	if c.ClaimAfter < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("worker.claim_after is %s: must be at least 100ms", c.ClaimAfter))
	}
	if c.ConsumerExpiry < c.ClaimAfter {
		errs = append(errs, fmt.Errorf("worker.consumer_expiry is %s: must be at least worker.claim_after (%s)", c.ConsumerExpiry, c.ClaimAfter))
	}
	if c.TrimInterval < 0 {
		errs = append(errs, fmt.Errorf("worker.trim_interval is %s: must not be negative", c.TrimInterval))
	}
	if c.ShutdownTimeout <= 0 {
		errs = append(errs, fmt.Errorf("worker.shutdown_timeout is %s: must be positive", c.ShutdownTimeout))
	}
	return errors.Join(errs...)
}

// claimInterval is how often deliveries of dead consumers are looked for: often
// enough that one is claimed soon after it may be, and seldom enough to cost
// nothing.
func (c Config) claimInterval() time.Duration { return min(c.ClaimAfter/4, 15*time.Second) }
