//go:build !linux

package durable

import (
	"errors"
	"os"
)

// syncData is fsync; on macOS, Go asks for F_FULLFSYNC, without which the drive
// may keep the data in its cache.
func syncData(f *os.File) error { return f.Sync() }

// preallocate does without: files grow as they are written.
func preallocate(*os.File, int64) error { return errors.ErrUnsupported }

// InMemory says whether the file system under dir keeps its files in memory
// only, so that a restart of the machine loses them. This system does not tell.
func InMemory(string) (bool, error) { return false, nil }
