package doctor

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/eventpulse/eventpulse/pkg/spool"
)

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
func judgeSpool(f spool.Info, cfg spool.Config) (found findings) {
	switch {
	case !f.Writable:
		found.problem("spool.dir", f.Dir+" is not writable by this user", "run the doctor as the user of serve, and give that user the directory: chown USER "+shellWord(f.Dir))
	case !f.Exists:
		found.ok("spool.dir", "%s does not exist yet; serve creates it", f.Dir)
	default:
		found.ok("spool.dir", "%s holds %s in %s", f.Dir, humanize.IBytes(uint64(f.Bytes)), count(int64(f.Segments), "file"))
	}
	if f.InMemory {
		found.warning("spool.disk", f.Dir+" is in memory: spooled events are lost when the machine restarts", "set spool.dir to a directory on a disk")
	}
	judgeSpace(&found, f, cfg)
	if f.Quarantined > 0 {
		found.warning("spool.quarantine", fmt.Sprintf("%s with corrupt records in %s", count(int64(f.Quarantined), "file"), f.QuarantineDir),
			"check the disk and its SMART state; the events in those records never reach the stream")
	}
	return found
}

func judgeSpace(found *findings, f spool.Info, cfg spool.Config) {
	const check = "spool.space"
	if f.AvailableBytes < 0 {
		found.unknown(check, "the free space of its disk is unknown", "make sure that spool.max_bytes fits on it")
		return
	}
	reserved := cfg.ReservedBytes(f.TotalBytes)
	available := f.AvailableBytes - reserved + f.Bytes
	text := fmt.Sprintf("%s free, of which the spool leaves %s; it may grow to %s",
		humanize.IBytes(uint64(f.AvailableBytes)), humanize.IBytes(uint64(reserved)), humanize.IBytes(uint64(cfg.MaxBytes)))
	const remedy = "free space on the disk, or lower spool.max_bytes"
	switch {
	case f.AvailableBytes <= reserved:
		found.problem(check, text+": it takes nothing now", remedy)
	case available < cfg.MaxBytes:
		found.warning(check, text+", and the disk would be full before", remedy)
	default:
		found.ok(check, "%s", text)
	}
}
