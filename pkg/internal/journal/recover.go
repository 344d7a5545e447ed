package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// recoverCursor sets head to where the last process stopped. Without a cursor
// everything is read again.
func (j *Journal) recoverCursor() error {
	c, seq, err := openCursor(j.opts.FS, j.opts.Dir)
	if errors.Is(err, errNoCursor) {
		j.opts.Log.Error("the journal's cursor cannot be read: records may be read twice",
			"dir", j.opts.Dir, "error", err, "kept_in", filepath.Join(j.opts.Dir, quarantineDir))
		j.opts.OnCorrupt(CorruptCursor, 1)
		if err := j.quarantineFile(cursorName); err != nil {
			return fmt.Errorf("open journal cursor: %w", err)
		}
		c, seq, err = openCursor(j.opts.FS, j.opts.Dir)
	}
	switch {
	case durable.IsNoSpace(err):
		j.opts.Log.Warn("no space for the journal's cursor: records may be read again after a restart", "dir", j.opts.Dir, "error", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open journal cursor: %w", err)
	case err != nil:
		_ = j.fail(err)
	}
	j.cursor = c
	j.head = max(seq, 1)
	return nil
}

// recoverSegments finds the segments and where numbering goes on.
func (j *Journal) recoverSegments() error {
	infos, err := j.opts.FS.List(j.opts.Dir)
	if err != nil {
		return fmt.Errorf("list journal: %w", err)
	}
	for _, info := range infos {
		first, ok := segmentFirst(info.Name)
		if !ok {
			continue
		}
		seg := &segment{first: first, size: info.Size}
		if info.Size == 0 {
			j.remove(seg)
			continue
		}
		j.segments = append(j.segments, seg)
	}
	slices.SortFunc(j.segments, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	for len(j.segments) > 1 && j.segments[1].first <= j.head {
		j.remove(j.segments[0])
		j.segments = j.segments[1:]
	}
	j.recoverLast()
	for _, seg := range j.segments {
		j.size += seg.size
	}
	if len(j.segments) > 0 && j.head == 1 {
		j.head = j.segments[0].first // there was no cursor yet
	}
	return nil
}

// recoverLast finds out where the last segment ends, and with it where
// numbering goes on. A last segment without a single record is quarantined, so
// that its name can be used.
func (j *Journal) recoverLast() {
	j.next = j.head
	for n := len(j.segments); n > 0; n-- {
		last := j.segments[n-1]
		end := j.findEnd(last)
		if end.unused == last.first && end.size == 0 {
			j.remove(last) // it was preallocated and not used
			j.segments = j.segments[:n-1]
			continue
		}
		if end.unused == last.first && j.quarantineFile(segmentName(last.first)) == nil {
			j.segments = j.segments[:n-1]
			c := CorruptDamaged
			if end.corrupt.kind == torn {
				c = CorruptTorn
			}
			j.report(c, 1, "nothing can be read in the last segment of the journal", last, end.corrupt)
			continue
		}
		last.recovered, last.end, last.size = true, end.next, end.size
		j.next = max(j.next, last.first+1, end.unused)
		return
	}
}

// ending is what a segment comes to.
type ending struct {
	// next is the number behind the last record that can be read, unused one
	// that no record has.
	next, unused uint64
	// size is where the file ends but for zeros.
	size int64
	// corrupt is the last span that is no record.
	corrupt span
}

// findEnd reads seg to its end, and gives back the space that was preallocated
// behind it.
func (j *Journal) findEnd(seg *segment) ending {
	// What holds when it cannot be read.
	end := ending{next: seg.first, unused: seg.first + uint64(seg.size/headerSize) + 1, size: seg.size}
	f, err := j.opts.FS.OpenWritable(j.path(seg))
	if err != nil {
		return end
	}
	defer func() { _ = f.Close() }()
	s := scanner{src: f, end: seg.size}
	for {
		sp, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			end.unused, end.size = end.next, s.pos
			if s.pos < seg.size {
				_ = f.Truncate(s.pos) // nothing but zeros; it may fail
			}
			return end
		case err != nil:
			return end
		case sp.kind == valid:
			end.next = max(end.next, sp.seq+1)
		default:
			end.corrupt = sp
		}
	}
}
