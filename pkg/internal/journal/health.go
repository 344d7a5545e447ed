package journal

import (
	"fmt"
	"time"
)

// Stats is what a journal holds.
type Stats struct {
	// Records are those not released yet, Bytes what they take on disk, about.
	Records, Bytes int64
	// Oldest is when the oldest of them was made; zero when there is none or it
	// is not known.
	Oldest time.Time
	// Full is set while there is no space for what was appended last.
	Full bool
}

// Stats returns what the journal holds now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{Full: j.full}
	if j.next > j.head {
		s.Records, s.Bytes, s.Oldest = int64(j.next-j.head), max(j.size-j.headAt, 0), j.oldest
	}
	return s
}

// Err returns nil, or the ErrFailed since which the journal is read-only.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// Check returns what an append with such a timeout would fail with now, as far
// as is known without writing.
func (j *Journal) Check(timeout time.Duration) error {
	if err := j.Err(); err != nil {
		return err
	}
	if took := j.queue.Stalled(); took > timeout {
		return fmt.Errorf("%w: a write has taken %s so far", ErrSlow, took.Round(time.Millisecond))
	}
	_, err := j.available()
	return err
}

// fail makes the journal read-only until it is opened again and returns the
// error that appends fail with from now on. Only the first cause counts.
func (j *Journal) fail(cause error) error {
	j.mu.Lock()
	first := j.failure == nil
	if first {
		j.failure = failed(cause)
	}
	err := j.failure
	j.mu.Unlock()
	if first {
		j.opts.Log.Error("the journal's disk has failed: it is read-only until a restart; check the disk",
			"dir", j.opts.Dir, "error", cause)
	}
	return err
}

// setFull notes whether the last group found space; nil is that it did.
func (j *Journal) setFull(cause error) {
	j.mu.Lock()
	was := j.full
	j.full = cause != nil
	j.mu.Unlock()
	switch {
	case cause != nil && !was:
		j.opts.Log.Error("the journal is full: it takes nothing more until there is space", "dir", j.opts.Dir, "error", cause)
	case cause == nil && was:
		j.opts.Log.Info("the journal has space again", "dir", j.opts.Dir)
	}
}
