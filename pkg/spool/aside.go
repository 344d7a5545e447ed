package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
)

// What is unreadable is never deleted: it goes to a directory of its own.

// report counts n records that are not published because of what is at the
// given place, and says so.
func (j *journal) report(kind string, n uint64, what string, seg *segment, at stretch) {
	j.metrics.corrupt.WithLabelValues(kind).Add(float64(n))
	level, args := slog.LevelError, []any{"file", j.path(seg), "records", n}
	if kind == kindTorn {
		level = slog.LevelWarn // what a crash leaves behind
	}
	if at.to > at.from {
		args = append(args, "offset", at.from, "bytes", at.to-at.from, "kept_in", filepath.Join(j.dir, corruptDir))
	}
	j.log.Log(context.Background(), level, what, args...)
}

// moveAside moves the file of that name.
func (j *journal) moveAside(name string) error {
	dir := filepath.Join(j.dir, corruptDir)
	err := j.fs.mkdir(dir)
	if err == nil {
		err = j.fs.rename(filepath.Join(j.dir, name), filepath.Join(dir, name))
	}
	if err != nil {
		j.log.Error("cannot move an unreadable spool file aside", "file", filepath.Join(j.dir, name), "error", err)
	}
	return err
}

// copyAside copies a stretch of seg, read from f, to a file of its own.
func (j *journal) copyAside(seg *segment, f io.ReaderAt, s stretch) (err error) {
	if err := j.poisoned(); err != nil {
		return err
	}
	dir := filepath.Join(j.dir, corruptDir)
	if err := j.fs.mkdir(dir); err != nil {
		return err
	}
	to, err := j.fs.open(filepath.Join(dir, fmt.Sprintf("%020d-%d.bad", seg.first, s.from)), true)
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
	return j.fs.syncDir(dir)
}
