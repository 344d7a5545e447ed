package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
)

// quarantineDir keeps what is unreadable, under the journal's directory: it is
// never deleted.
const quarantineDir = "corrupt"

// Corruption is what is wrong with records that will never be read.
type Corruption string

// The kinds of corruption.
const (
	// CorruptCursor is a cursor that cannot be read.
	CorruptCursor Corruption = "cursor"
	// CorruptDamaged is bytes that were changed.
	CorruptDamaged Corruption = "damaged"
	// CorruptMissing is a gap in the numbers.
	CorruptMissing Corruption = "missing"
	// CorruptTorn is a write that was cut off. It was not acknowledged, unless
	// the file has been cut since.
	CorruptTorn Corruption = "torn"
	// CorruptUndecodable is a payload that the user of the journal cannot
	// decode: see Reader.Quarantine.
	CorruptUndecodable Corruption = "undecodable"
	// CorruptUnreadable is a segment that the disk does not return.
	CorruptUnreadable Corruption = "unreadable"
)

// Corruptions returns all kinds, for metrics that begin at zero.
func Corruptions() []Corruption {
	return []Corruption{CorruptCursor, CorruptDamaged, CorruptMissing, CorruptTorn, CorruptUndecodable, CorruptUnreadable}
}

// report counts n records that are not read because of what is at the given
// place, and says so.
func (j *Journal) report(c Corruption, n uint64, what string, seg *segment, at span) {
	j.opts.OnCorrupt(c, n)
	level, args := slog.LevelError, []any{"file", j.path(seg), "records", n}
	if c == CorruptTorn {
		level = slog.LevelWarn // what a crash leaves behind
	}
	if at.to > at.from {
		args = append(args, "offset", at.from, "bytes", at.to-at.from, "kept_in", filepath.Join(j.opts.Dir, quarantineDir))
	}
	j.opts.Log.Log(context.Background(), level, what, args...)
}

// quarantineFile moves the file of that name.
func (j *Journal) quarantineFile(name string) error {
	dir := filepath.Join(j.opts.Dir, quarantineDir)
	err := j.opts.FS.MkdirAll(dir)
	if err == nil {
		err = j.opts.FS.Rename(filepath.Join(j.opts.Dir, name), filepath.Join(dir, name))
	}
	if err != nil {
		j.opts.Log.Error("cannot quarantine an unreadable file of the journal", "file", filepath.Join(j.opts.Dir, name), "error", err)
	}
	return err
}

// quarantineSpan copies a span of seg, read from f, to a file of its own.
func (j *Journal) quarantineSpan(seg *segment, f io.ReaderAt, s span) (err error) {
	if err := j.Err(); err != nil {
		return err
	}
	dir := filepath.Join(j.opts.Dir, quarantineDir)
	if err := j.opts.FS.MkdirAll(dir); err != nil {
		return err
	}
	to, err := j.opts.FS.OpenWritable(filepath.Join(dir, fmt.Sprintf("%020d-%d.bad", seg.first, s.from)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err := io.Copy(io.NewOffsetWriter(to, 0), io.NewSectionReader(f, s.from, s.to-s.from)); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	return j.opts.FS.SyncDir(dir)
}
