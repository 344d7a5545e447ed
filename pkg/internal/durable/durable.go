// Package durable is what an append-only file needs from the operating system
// to survive a crash: data and directory entries that are known to be on disk,
// preallocated space, the space that is left, and a lock on a directory.
//
// A write is durable after File.Sync has returned nil, and a new file's name
// after FS.SyncDir has. A Sync that failed must not be repeated in the hope that
// it succeeds: Linux reports a lost write once and marks the page clean, so that
// the second fsync returns nil over data that is gone. See
// https://lwn.net/Articles/752063/ and
// https://www.usenix.org/conference/atc20/presentation/rebello.
//
// [Disk] is the real file system. Tests of what a crash or a failing disk leaves
// behind supply an [FS] of their own.
package durable

import "io"

// FS is a file system. Its methods may be called concurrently.
type FS interface {
	// Create makes a new file for writing; it must not exist.
	Create(path string) (File, error)
	// Open opens a file that exists for reading.
	Open(path string) (File, error)
	// OpenWritable opens a file for reading and writing, and makes it when it
	// does not exist.
	OpenWritable(path string) (File, error)
	Remove(path string) error
	Rename(from, to string) error
	// MkdirAll makes a directory, and those above it, for this user alone.
	MkdirAll(dir string) error
	// List returns the regular files of a directory.
	List(dir string) ([]FileInfo, error)
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
	// Space returns how many bytes of the disk under dir this user may still
	// write, and how many it has; both are -1 where that is not known.
	Space(dir string) (available, total int64, err error)
}

// File is an open file. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Preallocate extends the file to size bytes of zeros that have their
	// space on the disk. It fails with errors.ErrUnsupported where the file
	// system has no such thing.
	Preallocate(size int64) error
	// Sync makes durable what was written, and the file's size.
	Sync() error
}

// FileInfo is an entry of a directory.
type FileInfo struct {
	Name string
	Size int64 // bytes
}
