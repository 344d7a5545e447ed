package doctor

import (
	"errors"
	"testing"

	"github.com/eventpulse/eventpulse/pkg/spool"
)

// validSpool is a spool about which nothing is to be changed.
func validSpool() spool.Info {
	return spool.Info{
		Dir: "/var/spool", Exists: true, Writable: true, AvailableBytes: 10 << 30, TotalBytes: 100 << 30,
		Segments: 1, Bytes: 5 << 20, QuarantineDir: "/var/spool/corrupt",
	}
}

func TestJudgeSpool(t *testing.T) {
	cfg := spool.DefaultConfig()
	cfg.Dir, cfg.MaxBytes, cfg.MinFreeBytes = "x", 1<<30, 256<<20
	for _, tt := range []struct {
		name   string
		change func(*spool.Info)
		check  string
		status Status
		says   string
	}{
		{"fine", func(*spool.Info) {}, "spool.dir", OK, "5.0 MiB in 1 file"},
		{"not there yet", func(f *spool.Info) { f.Exists = false }, "spool.dir", OK, "does not exist yet"},
		{"of another user", func(f *spool.Info) { f.Writable = false }, "spool.dir", Problem, "chown"},
		{"in memory", func(f *spool.Info) { f.InMemory = true }, "spool.disk", Warning, "in memory"},
		{"space", func(*spool.Info) {}, "spool.space", OK, "10 GiB free"},
		{"little space", func(f *spool.Info) { f.AvailableBytes = 1 << 30 }, "spool.space", Warning, "full before"},
		{"its own bytes count as available", func(f *spool.Info) { f.AvailableBytes, f.Bytes = 1<<30, 512<<20 }, "spool.space", OK, ""},
		{"no space", func(f *spool.Info) { f.AvailableBytes = 100 << 20 }, "spool.space", Problem, "nothing now"},
		{"a small disk keeps a tenth", func(f *spool.Info) { f.AvailableBytes, f.TotalBytes = 23<<20, 24<<20 }, "spool.space", Warning, "2.4 MiB"},
		{"unknown", func(f *spool.Info) { f.AvailableBytes = -1 }, "spool.space", Unknown, "unknown"},
		{"quarantine", func(f *spool.Info) { f.Quarantined = 2 }, "spool.quarantine", Warning, "2 files with corrupt records in /var/spool/corrupt"},
	} {
		f := validSpool()
		tt.change(&f)
		requireFinding(t, tt.name, judgeSpool(f, cfg), tt.check, tt.status, tt.says)
	}
	requireFinding(t, "unreadable", spoolUnreadable(errors.New("x is not a directory")), "spool.dir", Problem, "not a directory")
	requireFinding(t, "none", judgeNoSpool(), "spool.dir", Warning, "503")
}
