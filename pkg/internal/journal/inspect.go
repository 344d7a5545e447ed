package journal

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

// Info is what can be seen of a journal's directory from outside.
type Info struct {
	Segments      int
	Bytes         int64  // in the segments, with what is preallocated
	Quarantined   int    // files with what could not be read
	QuarantineDir string // where they are, whether it exists or not
}

// Inspect looks at the journal in dir without locking it. Where there is no such
// directory there are no files.
func Inspect(dir string) (Info, error) {
	info := Info{QuarantineDir: filepath.Join(dir, quarantineDir)}
	files, err := list(dir)
	if err != nil {
		return info, err
	}
	for _, f := range files {
		if _, ok := segmentFirst(f.Name); ok {
			info.Segments++
			info.Bytes += f.Size
		}
	}
	files, err = list(info.QuarantineDir)
	info.Quarantined = len(files)
	return info, err
}

func list(dir string) ([]durable.FileInfo, error) {
	files, err := durable.Disk{}.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}
