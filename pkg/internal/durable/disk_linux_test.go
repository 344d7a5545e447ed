package durable

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInMemory(t *testing.T) {
	memory, err := InMemory("/dev/shm")
	require.NoError(t, err)
	require.True(t, memory, "/dev/shm is a tmpfs")
	memory, err = InMemory("/proc")
	require.NoError(t, err)
	require.False(t, memory)
	_, err = InMemory(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
}
