package journal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScanner_ReadsWhatIsWritten(t *testing.T) {
	for _, size := range []int{0, 1, 100, scanWindow - 100, scanWindow, 3 * scanWindow} {
		payload := strings.Repeat("y", size)
		b, _ := segmentOf([]string{payload, payload}, 7)
		s := scanner{src: bytes.NewReader(b), end: int64(len(b))}
		for i := range uint64(2) {
			sp, err := s.next()
			require.NoError(t, err)
			require.Equal(t, valid, sp.kind)
			require.Equal(t, 7+i, sp.seq)
			require.Equal(t, time.UnixMicro(1), sp.at)
			require.Equal(t, payload, string(sp.payload))
		}
	}
}

// FuzzScanner feeds a scanner with anything: it covers every byte once.
func FuzzScanner(f *testing.F) {
	b, at := segmentOf(payloads(4), 1)
	f.Add(b, 100, byte(1), 0)
	f.Add(b, at[1]+lengthAt, byte(0x80), 0)
	f.Add(b[:at[2]], at[1], byte(0xff), 5)
	f.Add([]byte(magic+magic+magic), 0, byte(0), 0)
	f.Add([]byte("noise\x00\x00"), 0, byte(0), 0)
	f.Fuzz(func(t *testing.T, b []byte, i int, mask byte, cut int) {
		if len(b) > 1<<20 {
			return
		}
		if i >= 0 && i < len(b) {
			b[i] ^= mask
		}
		if cut > 0 && cut < len(b) {
			b = b[:len(b)-cut]
		}
		s := scanner{src: bytes.NewReader(b), end: int64(len(b))}
		var pos int64
		corrupt := false
		for {
			sp, err := s.next()
			if err != nil {
				break
			}
			require.Equal(t, pos, sp.from)
			require.Greater(t, sp.to, sp.from)
			require.False(t, corrupt && sp.kind != valid, "corrupt bytes come in one span")
			corrupt = sp.kind != valid
			pos = sp.to
		}
		// Zeros at the end are preallocated space.
		require.GreaterOrEqual(t, pos, int64(len(bytes.TrimRight(b, "\x00"))))
	})
}
