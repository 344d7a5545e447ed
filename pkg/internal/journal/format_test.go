package journal

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is on disk, byte by byte, so that a change of the format is noticed: a
// release that is rolled back must be able to read it.
func TestFormat(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir)
	at := time.UnixMicro(0x0102030405060708)
	require.NoError(t, f.Append(t.Context(), testTimeout, batchOf(at, []string{"a", "bc"})))
	records, err := f.Reader().Read(1)
	require.NoError(t, err)
	f.Reader().Release(records[0].Seq)
	f.close(t)

	b, err := os.ReadFile(filepath.Join(dir, "00000000000000000001.seg"))
	require.NoError(t, err)
	require.Equal(t, ""+
		"ff4550fe"+"0d1bbabb"+"01000000"+"0100000000000000"+"0807060504030201"+"61"+
		"ff4550fe"+"37581a5e"+"02000000"+"0200000000000000"+"0807060504030201"+"6263",
		hex.EncodeToString(b))
	b, err = os.ReadFile(filepath.Join(dir, "cursor"))
	require.NoError(t, err)
	require.Len(t, b, cursorStride+cursorSize)
	require.Equal(t, "ff455063"+"e7f784a3"+"0200000000000000"+"0000000000000000", hex.EncodeToString(b[:cursorSize]))
	require.Equal(t, "ff455063"+"5700f0c3"+"0300000000000000"+"0200000000000000", hex.EncodeToString(b[cursorStride:]))
}
