package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/eventpulse/eventpulse/pkg/spool"
)

// Disk is what can be seen of the disk under a directory.
type Disk struct {
	Free, Total int64 // bytes; -1 where the system does not say
	Writable    bool  // by this process's user
	InMemory    bool  // it keeps files in memory only
}

// SpoolInfo is what can be seen of a spool that may be in use.
type SpoolInfo struct {
	Dir      string // absolute
	Exists   bool
	Disk     Disk // of Dir, or of the closest directory above it that exists
	Segments int
	Bytes    int64 // in the segments
	Corrupt  int   // files with what could not be read
}

// InspectSpool looks at the spool in dir, which need not exist yet.
func InspectSpool(dir string) (f SpoolInfo, err error) {
	if f.Dir, err = filepath.Abs(dir); err != nil {
		return f, err
	}
	at, info, err := closest(f.Dir)
	if err != nil {
		return f, err
	}
	if !info.IsDir() {
		return f, fmt.Errorf("%s is not a directory", at)
	}
	f.Exists = at == f.Dir
	if f.Disk, err = inspectDisk(at); err != nil || !f.Exists {
		return f, err
	}
	files, err := os.ReadDir(f.Dir)
	if err != nil {
		return f, err
	}
	for _, file := range files {
		info, err := file.Info()
		if err == nil && filepath.Ext(file.Name()) == ".seg" { // or it was drained just now
			f.Segments++
			f.Bytes += info.Size()
		}
	}
	corrupt, err := os.ReadDir(filepath.Join(f.Dir, "corrupt"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	f.Corrupt = len(corrupt)
	return f, err
}

// closest returns path, or the longest part of it that exists.
func closest(path string) (string, fs.FileInfo, error) {
	for {
		info, err := os.Stat(path)
		if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
			path = parent
			continue
		}
		return path, info, err
	}
}

// judgeNoSpool judges a serve without a spool.
func judgeNoSpool() (found findings) {
	found.warning("spool.dir", "there is no spool: while Redis is away, events are answered 503", "set spool.dir to a directory on a disk that survives a restart")
	return found
}

func spoolUnreadable(err error) (found findings) {
	found.problem("spool.dir", err.Error(), "let the user that serve runs as read and write there, or set spool.dir to another directory")
	return found
}

// judgeSpool judges a spool that is set up as cfg has it.
func judgeSpool(f SpoolInfo, cfg spool.Config) (found findings) {
	switch {
	case !f.Disk.Writable:
		found.problem("spool.dir", f.Dir+" is not writable by this user", "run the doctor as the user of serve, and give that user the directory: chown USER "+shellWord(f.Dir))
	case !f.Exists:
		found.ok("spool.dir", "%s does not exist yet; serve creates it", f.Dir)
	default:
		found.ok("spool.dir", "%s holds %s in %s", f.Dir, humanize.IBytes(uint64(f.Bytes)), count(int64(f.Segments), "file"))
	}
	if f.Disk.InMemory {
		found.warning("spool.disk", f.Dir+" is in memory: spooled events are lost when the machine restarts", "set spool.dir to a directory on a disk")
	}
	judgeSpace(&found, f, cfg)
	if f.Corrupt > 0 {
		found.warning("spool.corrupt", fmt.Sprintf("%s of corrupt records quarantined in %s", count(int64(f.Corrupt), "span"), filepath.Join(f.Dir, "corrupt")),
			"check the disk and its SMART state; what the quarantined spans held does not reach the stream")
	}
	return found
}

func judgeSpace(found *findings, f SpoolInfo, cfg spool.Config) {
	const check = "spool.space"
	if f.Disk.Free < 0 {
		found.unknown(check, "the free space of its disk is unknown", "make sure that spool.max_bytes fits on it")
		return
	}
	kept := min(cfg.MinFreeBytes, f.Disk.Total/10)
	available := f.Disk.Free - kept + f.Bytes
	text := fmt.Sprintf("%s free, of which the spool leaves %s; it may grow to %s",
		humanize.IBytes(uint64(f.Disk.Free)), humanize.IBytes(uint64(kept)), humanize.IBytes(uint64(cfg.MaxBytes)))
	const remedy = "free space on the disk, or lower spool.max_bytes"
	switch {
	case f.Disk.Free <= kept:
		found.problem(check, text+": it takes nothing now", remedy)
	case available < cfg.MaxBytes:
		found.warning(check, text+", and the disk would be full before", remedy)
	default:
		found.ok(check, "%s", text)
	}
}
