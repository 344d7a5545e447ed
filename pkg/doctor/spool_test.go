package doctor

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/spool"
)

// validSpool is a spool about which nothing is to be changed.
func validSpool() SpoolInfo {
	return SpoolInfo{Dir: "/var/spool", Exists: true, Disk: Disk{Free: 10 << 30, Total: 100 << 30, Writable: true}, Segments: 1, Bytes: 5 << 20}
}

func TestJudgeSpool(t *testing.T) {
	cfg := spool.DefaultConfig()
	cfg.Dir, cfg.MaxBytes, cfg.MinFreeBytes = "x", 1<<30, 256<<20
	for _, tt := range []struct {
		name   string
		change func(*SpoolInfo)
		check  string
		status Status
		says   string
	}{
		{"fine", func(*SpoolInfo) {}, "spool.dir", OK, "5.0 MiB in 1 file"},
		{"not there yet", func(f *SpoolInfo) { f.Exists = false }, "spool.dir", OK, "does not exist yet"},
		{"of another user", func(f *SpoolInfo) { f.Disk.Writable = false }, "spool.dir", Problem, "chown"},
		{"in memory", func(f *SpoolInfo) { f.Disk.InMemory = true }, "spool.disk", Warning, "in memory"},
		{"space", func(*SpoolInfo) {}, "spool.space", OK, "10 GiB free"},
		{"little space", func(f *SpoolInfo) { f.Disk.Free = 1 << 30 }, "spool.space", Warning, "full before"},
		{"its own bytes count as available", func(f *SpoolInfo) { f.Disk.Free, f.Bytes = 1<<30, 512<<20 }, "spool.space", OK, ""},
		{"no space", func(f *SpoolInfo) { f.Disk.Free = 100 << 20 }, "spool.space", Problem, "nothing now"},
		{"a small disk keeps a tenth", func(f *SpoolInfo) { f.Disk.Free, f.Disk.Total = 23<<20, 24<<20 }, "spool.space", Warning, "2.4 MiB"},
		{"unknown", func(f *SpoolInfo) { f.Disk.Free = -1 }, "spool.space", Unknown, "unknown"},
		{"corrupt", func(f *SpoolInfo) { f.Corrupt = 2 }, "spool.corrupt", Warning, "2 spans of corrupt records quarantined"},
	} {
		f := validSpool()
		tt.change(&f)
		requireFinding(t, tt.name, judgeSpool(f, cfg), tt.check, tt.status, tt.says)
	}
	requireFinding(t, "none", judgeNoSpool(), "spool.dir", Warning, "503")
}

func TestInspectSpool(t *testing.T) {
	dir := t.TempDir()
	cfg := spool.DefaultConfig()
	cfg.Dir = filepath.Join(dir, "a", "b")
	f, err := InspectSpool(cfg.Dir)
	require.NoError(t, err)
	require.False(t, f.Exists)
	require.True(t, f.Disk.Writable)
	require.Positive(t, f.Disk.Free)

	s, err := spool.Open(cfg, nil, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "00000000000000000001.seg"), make([]byte, 1000), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(cfg.Dir, "corrupt"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "corrupt", "x.bad"), nil, 0o600))
	f, err = InspectSpool(cfg.Dir)
	require.NoError(t, err)
	require.True(t, f.Exists)
	require.Equal(t, 1, f.Segments)
	require.EqualValues(t, 1000, f.Bytes)
	require.Equal(t, 1, f.Corrupt)

	cfg.Dir = filepath.Join(dir, "file", "spool")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err = InspectSpool(cfg.Dir)
	requireFinding(t, "a file in the way", spoolUnreadable(err), "spool.dir", Problem, "not a directory")
}
