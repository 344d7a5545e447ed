package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

// Info is what can be seen of a spool from outside, also while a process uses
// it.
type Info struct {
	Dir    string // absolute
	Exists bool
	// Writable, InMemory, AvailableBytes and TotalBytes are of the disk under
	// Dir, or under the closest directory above it that exists.
	Writable bool // by this process's user
	InMemory bool // the file system loses its files when the machine restarts
	// AvailableBytes is what this user may still write, TotalBytes the size of
	// the disk; both are -1 where the system does not tell.
	AvailableBytes, TotalBytes int64

	Segments      int
	Bytes         int64  // in the segments
	Quarantined   int    // files with what could not be read
	QuarantineDir string // where they are, whether it exists or not
}

// Inspect looks at the spool in dir without opening or locking it. A directory
// that does not exist is no error: Open makes it.
func Inspect(dir string) (Info, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Info{}, err
	}
	info := Info{Dir: dir, AvailableBytes: -1, TotalBytes: -1}
	parent, err := existing(dir)
	if err != nil {
		return info, err
	}
	info.Exists = parent == dir
	info.Writable = durable.Writable(parent)
	if info.InMemory, err = durable.InMemory(parent); err != nil {
		return info, err
	}
	if info.AvailableBytes, info.TotalBytes, err = (durable.Disk{}).Space(parent); err != nil {
		return info, err
	}
	files, err := journal.Inspect(dir)
	info.Segments, info.Bytes = files.Segments, files.Bytes
	info.Quarantined, info.QuarantineDir = files.Quarantined, files.QuarantineDir
	return info, err
}

// existing returns dir, or the closest directory above it that exists.
func existing(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		parent := filepath.Dir(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && parent != dir:
			dir = parent
		case err != nil:
			return "", err
		case !info.IsDir():
			return "", fmt.Errorf("%s is not a directory", dir)
		default:
			return dir, nil
		}
	}
}

// ReservedBytes returns how many bytes the spool leaves to others on a disk of
// so many: MinFreeBytes, but at most a tenth of the disk.
func (c Config) ReservedBytes(total int64) int64 {
	return journal.ReservedBytes(c.MinFreeBytes, total)
}
