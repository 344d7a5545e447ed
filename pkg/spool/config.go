package spool

import (
	"errors"
	"fmt"
	"time"
)

// Config says where the spool is, how large it may get, and when it steps in.
type Config struct {
	// Dir may be shared with nothing else. Empty is no spool at all, which
	// is for the caller to act on: Open rejects it.
	Dir      string `config:"dir" usage:"directory that keeps events while Redis cannot take them, on a disk that survives a restart; empty is no spool"`
	MaxBytes int64  `config:"max_bytes" usage:"most bytes that the spool keeps on disk; past it requests are answered with 503"`
	// MinFreeBytes is never taken for more than a tenth of the disk, so
	// that a small disk can be used too.
	MinFreeBytes int64 `config:"min_free_bytes" usage:"bytes of free disk that the spool leaves to others, at most a tenth of the disk"`
	// Deadline bounds what a stream that hangs can cost a request.
	Deadline time.Duration `config:"deadline" usage:"longest that a request waits for the stream before the spool takes its events"`
	// CommitTimeout bounds what a disk that hangs can cost a request.
	CommitTimeout time.Duration `config:"commit_timeout" usage:"longest that a request waits for the disk before it is answered with 503"`
	ProbeInterval time.Duration `config:"probe_interval" usage:"shortest pause between two attempts to reach a stream that has failed; the longest is twice that"`
	DrainTimeout  time.Duration `config:"drain_timeout" usage:"longest that the drainer waits for the stream to take a batch"`
	DrainBatch    int           `config:"drain_batch" usage:"most events that are drained at once"`
}

// DefaultConfig returns a spool that is switched off by its empty Dir, and
// otherwise ready for use.
func DefaultConfig() Config {
	return Config{
		MaxBytes:      1 << 30,
		MinFreeBytes:  256 << 20,
		Deadline:      250 * time.Millisecond,
		CommitTimeout: 500 * time.Millisecond,
		ProbeInterval: 250 * time.Millisecond,
		DrainTimeout:  time.Second,
		DrainBatch:    256,
	}
}

// minMaxBytes is the smallest spool that makes sense.
const minMaxBytes = 1 << 20

// Validate names every setting that cannot be worked with.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("spool."+format, args...)) }
	if c.MaxBytes < minMaxBytes {
		fail("max_bytes is %d: must be at least %d", c.MaxBytes, minMaxBytes)
	}
	if c.MinFreeBytes < 0 {
		fail("min_free_bytes is %d: must not be negative", c.MinFreeBytes)
	}
	if c.DrainBatch < 1 || c.DrainBatch > 10_000 {
		fail("drain_batch is %d: must be 1 to 10000", c.DrainBatch)
	}
	for _, d := range []struct {
		key     string
		v, most time.Duration
	}{
		{"deadline", c.Deadline, 10 * time.Second},
		{"commit_timeout", c.CommitTimeout, 10 * time.Second},
		{"probe_interval", c.ProbeInterval, time.Minute},
		{"drain_timeout", c.DrainTimeout, time.Minute},
	} {
		if d.v < time.Millisecond || d.v > d.most {
			fail("%s is %s: must be 1ms to %s", d.key, d.v, d.most)
		}
	}
	return errors.Join(errs...)
}
