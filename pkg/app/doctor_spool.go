package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/eventpulse/eventpulse/pkg/spool"
)

// disk is what can be seen of the disk under a directory.
type disk struct {
	free, total int64 // bytes; -1 where the system does not tell
	writable    bool  // by this process's user
	memory      bool  // it keeps files in memory only
}

// spoolFacts is what can be seen of a spool that may be in use.
type spoolFacts struct {
	dir      string // absolute
	exists   bool
	disk     disk // of dir, or of the closest directory above it that exists
	segments int
	bytes    int64 // in the segments
	corrupt  int   // files with what could not be read
}

// examineSpool looks at the spool of a serve on this machine, and judges it.
func examineSpool(cfg spool.Config) (found findings) {
	if cfg.Dir == "" {
		found.warning("spool.dir", "there is no spool: while Redis is away, events are refused with 503", "set spool.dir to a directory on a disk that survives a restart")
		return found
	}
	facts, err := inspectSpool(cfg.Dir)
	if err != nil {
		found.problem("spool.dir", err.Error(), "let the user that serve runs as read and write there, or set spool.dir to another directory")
		return found
	}
	return judgeSpool(facts, cfg)
}

func inspectSpool(dir string) (f spoolFacts, err error) {
	if f.dir, err = filepath.Abs(dir); err != nil {
		return f, err
	}
	at, info, err := closest(f.dir)
	if err != nil {
		return f, err
	}
	if !info.IsDir() {
		return f, fmt.Errorf("%s is not a directory", at)
	}
	f.exists = at == f.dir
	if f.disk, err = inspectDisk(at); err != nil || !f.exists {
		return f, err
	}
	files, err := os.ReadDir(f.dir)
	if err != nil {
		return f, err
	}
	for _, file := range files {
		info, err := file.Info()
		if err == nil && filepath.Ext(file.Name()) == ".seg" { // or it was drained just now
			f.segments++
			f.bytes += info.Size()
		}
	}
	corrupt, err := os.ReadDir(filepath.Join(f.dir, "corrupt"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	f.corrupt = len(corrupt)
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

// judgeSpool judges a spool that is set up as cfg has it.
func judgeSpool(f spoolFacts, cfg spool.Config) (found findings) {
	switch {
	case !f.disk.writable:
		found.problem("spool.dir", f.dir+" is not for this user to write to", "run the doctor as the user of serve, and give that user the directory: chown USER "+shellWord(f.dir))
	case !f.exists:
		found.ok("spool.dir", "%s does not exist yet; serve makes it", f.dir)
	default:
		found.ok("spool.dir", "%s holds %s in %s", f.dir, humanize.IBytes(uint64(f.bytes)), count(int64(f.segments), "file"))
	}
	if f.disk.memory {
		found.warning("spool.disk", f.dir+" is in memory: events accepted into it are gone after a restart of the machine", "set spool.dir to a directory on a disk")
	}
	judgeSpace(&found, f, cfg)
	if f.corrupt > 0 {
		found.warning("spool.corrupt", fmt.Sprintf("%s could not be read and %s kept in %s", count(int64(f.corrupt), "piece"), isAre(f.corrupt), filepath.Join(f.dir, "corrupt")),
			"look for a failing disk; the events in them are lost to the stream")
	}
	return found
}

func judgeSpace(found *findings, f spoolFacts, cfg spool.Config) {
	const topic = "spool.space"
	if f.disk.free < 0 {
		found.unknown(topic, "the free space of its disk is not told", "see that spool.max_bytes fits on it")
		return
	}
	kept := min(cfg.MinFreeBytes, f.disk.total/10)
	room := f.disk.free - kept + f.bytes
	text := fmt.Sprintf("%s free, of which the spool leaves %s; it may grow to %s",
		humanize.IBytes(uint64(f.disk.free)), humanize.IBytes(uint64(kept)), humanize.IBytes(uint64(cfg.MaxBytes)))
	const change = "make room on the disk, or lower spool.max_bytes"
	switch {
	case f.disk.free <= kept:
		found.problem(topic, text+": it takes nothing now", change)
	case room < cfg.MaxBytes:
		found.warning(topic, text+", and would be full before", change)
	default:
		found.ok(topic, "%s", text)
	}
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
