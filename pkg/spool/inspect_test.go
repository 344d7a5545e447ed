package spool

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInspect_DirectoryDoesNotExistYet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	info, err := Inspect(dir)
	require.NoError(t, err)
	require.False(t, info.Exists)
	require.True(t, info.Writable)
	require.Positive(t, info.AvailableBytes)
	require.Positive(t, info.TotalBytes)
	require.Equal(t, dir, info.Dir)
	require.NoDirExists(t, dir, "looking changes nothing")
}

func TestInspect_CountsSegmentsAndQuarantine(t *testing.T) {
	cfg := quick(t.TempDir())
	f, _ := startAway(t, cfg)
	info, err := Inspect(cfg.Dir) // while it is in use
	require.NoError(t, err)
	require.True(t, info.Exists)
	require.Equal(t, 1, info.Segments)
	require.Zero(t, info.Quarantined)
	f.stop()

	before := info
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "00000000000000001000.seg"), make([]byte, 500), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "other"), make([]byte, 500), 0o600))
	require.NoError(t, os.MkdirAll(info.QuarantineDir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(info.QuarantineDir, "x.bad"), nil, 0o600))
	info, err = Inspect(cfg.Dir)
	require.NoError(t, err)
	require.Equal(t, before.Segments+1, info.Segments)
	require.Positive(t, info.Bytes)
	require.Equal(t, 1, info.Quarantined)
}

func TestInspect_FileInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := Inspect(filepath.Join(path, "spool"))
	require.ErrorContains(t, err, "not a directory")
}

func TestConfig_ReservedBytesIsAtMostATenth(t *testing.T) {
	cfg := Config{MinFreeBytes: 256 << 20}
	require.EqualValues(t, 256<<20, cfg.ReservedBytes(1<<40))
	require.EqualValues(t, 100<<20, cfg.ReservedBytes(1000<<20))
	cfg.MinFreeBytes = 0
	require.Zero(t, cfg.ReservedBytes(1<<40))
}
