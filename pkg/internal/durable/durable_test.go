package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDisk_CreateRefusesAnExistingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Disk{}.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = Disk{}.Create(path)
	require.ErrorIs(t, err, fs.ErrExist)
}

func TestDisk_OpenNeedsAFile_OpenWritableMakesOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	_, err := Disk{}.Open(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	f, err := Disk{}.OpenWritable(path)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("kept"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	f, err = Disk{}.OpenWritable(path)
	require.NoError(t, err)
	b := make([]byte, 4)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	require.Equal(t, "kept", string(b))
	require.NoError(t, f.Close())
}

func TestDisk_PreallocatedBytesAreZeros(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Disk{}.Create(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	err = f.Preallocate(10_000)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this file system cannot preallocate")
	}
	require.NoError(t, err)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 10_000), b)
}

func TestDisk_ListReturnsRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("12345"), 0o600))
	require.NoError(t, Disk{}.MkdirAll(filepath.Join(dir, "sub", "sub")))
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))
	infos, err := Disk{}.List(dir)
	require.NoError(t, err)
	require.Equal(t, []FileInfo{{"a", 5}}, infos)
	_, err = Disk{}.List(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestDisk_SpaceIsWithinTotal(t *testing.T) {
	available, total, err := Disk{}.Space(t.TempDir())
	require.NoError(t, err)
	require.Positive(t, total)
	require.LessOrEqual(t, available, total)
	_, _, err = Disk{}.Space(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
}

func TestLockDir_ExcludesASecondHolderUntilClosed(t *testing.T) {
	dir := t.TempDir()
	lock, err := LockDir(dir)
	require.NoError(t, err)
	_, err = LockDir(dir)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, fmt.Sprintf("(pid %d)", os.Getpid()))
	require.NoError(t, lock.Close())
	lock, err = LockDir(dir)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	b, err := os.ReadFile(filepath.Join(dir, "lock"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(os.Getpid()), string(bytes.TrimSpace(b)))
}

func TestIsNoSpace(t *testing.T) {
	for err, want := range map[error]bool{syscall.ENOSPC: true, syscall.EIO: false, fs.ErrNotExist: false} {
		require.Equal(t, want, IsNoSpace(&fs.PathError{Op: "write", Path: "x", Err: err}), err)
	}
	require.True(t, IsTooManyFiles(&fs.PathError{Err: syscall.EMFILE}))
	require.False(t, IsTooManyFiles(syscall.EIO))
}

func TestWritable(t *testing.T) {
	require.True(t, Writable(t.TempDir()))
	require.False(t, Writable(filepath.Join(t.TempDir(), "none")))
}
