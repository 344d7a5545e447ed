package journal

import (
	"log/slog"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// Options say where a journal is and how large it may get.
type Options struct {
	// Dir may be shared with nothing else. Open makes it.
	Dir string
	// MaxBytes is the most that the segments may hold.
	MaxBytes int64
	// MinFreeBytes of the disk are left to others, but never more than a tenth
	// of it: see ReservedBytes.
	MinFreeBytes int64
	// SegmentBytes is the size of a segment. Disk space is given back in such
	// pieces; a sixteenth of MaxBytes at most. 0 is 4 MiB.
	SegmentBytes int64
	// FS is the file system; nil is durable.Disk.
	FS durable.FS
	// Log takes what an operator must know; nil discards it.
	Log *slog.Logger
	// OnCommit, which may be nil, is called after each group of appends, before
	// any of them returns: with the number of records synced, 0 when it failed,
	// and the time it took.
	OnCommit func(records int, took time.Duration)
	// OnCorrupt, which may be nil, is called for records that will never be
	// read because of what is wrong with them.
	OnCorrupt func(c Corruption, records uint64)
}

const defaultSegmentBytes = 4 << 20

// withDefaults fills in what may be left out.
func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/16)
	if o.FS == nil {
		o.FS = durable.Disk{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnCommit == nil {
		o.OnCommit = func(int, time.Duration) {}
	}
	if o.OnCorrupt == nil {
		o.OnCorrupt = func(Corruption, uint64) {}
	}
	return o
}

// ReservedBytes returns how many bytes are left to others on a disk of so many:
// minFree, but at most a tenth of the disk, so that a small disk can be used too.
func ReservedBytes(minFree, total int64) int64 { return min(minFree, total/10) }
