package journal

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const segmentSuffix = ".seg"

// segment is one file of records. Its fields are guarded by the journal's mu.
type segment struct {
	// first is the number of its first record, and its name.
	first uint64
	// size is the bytes that are synced, or were there at start.
	size int64
	// preallocated is how far the file has space on the disk already; zero is
	// only as far as it is written.
	preallocated int64
	// active is set while records are appended to it.
	active bool
	// recovered is set for what was the last one at start. Where it ends says
	// only the segment itself: end is the number behind the last record that
	// could be read. Any other one ends where the next begins.
	recovered bool
	end       uint64
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// segmentFirst reads the name of a segment.
func segmentFirst(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil
}

func (j *Journal) path(seg *segment) string {
	return filepath.Join(j.opts.Dir, segmentName(seg.first))
}

// remove deletes a segment's file. A file that stays is found to be released at
// the next start.
func (j *Journal) remove(seg *segment) {
	if err := j.opts.FS.Remove(j.path(seg)); err != nil {
		j.opts.Log.Warn("cannot remove a segment of the journal that is not needed", "file", j.path(seg), "error", err)
	}
}
