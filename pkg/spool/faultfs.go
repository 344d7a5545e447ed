package spool

import (
	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// faultFS puts the marks of pkg/fault into a file system, because the journal is
// below the layer that knows them. Of the files of a journal only segments are
// made with Create.
type faultFS struct{ durable.FS }

func (fs faultFS) Create(path string) (durable.File, error) {
	f, err := fs.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return &faultSegment{File: f}, nil
}

func (fs faultFS) OpenWritable(path string) (durable.File, error) {
	f, err := fs.FS.OpenWritable(path)
	if err != nil {
		return nil, err
	}
	return faultFile{f}, nil
}

type faultFile struct{ durable.File }

func (f faultFile) Sync() error {
	if err := fault.Error(fault.SpoolSync); err != nil {
		return err
	}
	return f.File.Sync()
}

// faultSegment is written and synced by one goroutine.
type faultSegment struct {
	durable.File
	written bool // and not synced since
}

func (f *faultSegment) WriteAt(b []byte, at int64) (int, error) {
	fault.Point(fault.SpoolBefore)
	f.written = true
	return f.File.WriteAt(b, at)
}

func (f *faultSegment) Sync() error {
	if err := (faultFile{f.File}).Sync(); err != nil {
		return err
	}
	if f.written {
		fault.Point(fault.SpoolAfter)
		f.written = false
	}
	return nil
}
