package config

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// wrapped is a writer around another one.
type wrapped struct{ io.Writer }

func (w wrapped) Unwrap() io.Writer { return w.Writer }

func TestLog_FormatFor(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	for _, w := range []io.Writer{file, wrapped{file}, wrapped{wrapped{io.Discard}}} {
		require.Equal(t, "json", Log{Format: "auto"}.FormatFor(w))
		require.Equal(t, "json", Log{Format: "JSON"}.FormatFor(w))
		require.Equal(t, "text", Log{Format: "Text"}.FormatFor(w))
	}
}

func TestIsTerminal_LooksThroughWrappers(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminal here: ", err)
	}
	defer terminal.Close()
	require.True(t, IsTerminal(terminal))
	require.True(t, IsTerminal(wrapped{wrapped{terminal}}))
	require.False(t, IsTerminal(wrapped{io.Discard}))
	require.Equal(t, "text", Log{Format: "auto"}.FormatFor(wrapped{terminal}))
}
