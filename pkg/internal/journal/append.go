package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
)

// Batch is records to be appended together. The zero value is empty and ready
// for use.
type Batch struct {
	records []byte
	count   int
}

// Grow makes space for records that hold so many bytes of payload together.
func (b *Batch) Grow(records, bytes int) {
	if n := records*headerSize + bytes; cap(b.records)-len(b.records) < n {
		b.records = append(make([]byte, 0, len(b.records)+n), b.records...)
	}
}

// Add adds a record made at the given time. Its payload, which may be anything,
// is what encode appends to the slice it is given.
func (b *Batch) Add(at time.Time, encode func(dst []byte) []byte) {
	b.records = appendRecord(b.records, at, encode)
	b.count++
}

// Len returns the number of records.
func (b *Batch) Len() int { return b.count }

// Append puts the records of b on disk, next to each other and in order. It
// returns nil once they are synced. It returns within timeout or when ctx ends,
// whatever the disk does; the error is then ErrSlow or the one of ctx, and none,
// some or all of the records may be on disk, then or later. After ErrFull,
// ErrFailed and ErrClosed none of them will be read, unless the disk failed while
// they were written. b belongs to the journal from then on.
func (j *Journal) Append(ctx context.Context, timeout time.Duration, b *Batch) error {
	if err := j.Err(); err != nil {
		return err // without waiting for a commit under way
	}
	err := j.queue.Do(ctx, timeout, b, coalesce.Size{Items: b.count, Bytes: len(b.records)})
	switch {
	case errors.Is(err, coalesce.ErrClosed):
		return ErrClosed
	case errors.Is(err, coalesce.ErrFull):
		return fmt.Errorf("%w: %d bytes wait for it", ErrSlow, j.queue.Held().Bytes)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: not written in %s", ErrSlow, timeout)
	}
	return err
}
