package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recovered opens a journal with these files and returns what it reads.
func recovered(tb testing.TB, files map[string][]byte) (f *fixture, dir string, got []string) {
	tb.Helper()
	dir = fastDir(tb)
	for name, b := range files {
		require.NoError(tb, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	f = openJournal(tb, dir, withSegments(16<<10))
	return f, dir, f.drain(tb, 256)
}

// Whatever one bit is changed to, only the record it is in is lost, it is
// counted once and kept.
func TestRecover_FlippedBitCostsOneRecord(t *testing.T) {
	records, more := payloads(30), payloads(2)
	whole, at := segmentOf(records, 1)
	next, _ := segmentOf(more, 31)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		b := append(bytes.Clone(whole), make([]byte, rng.IntN(2)*10_000)...)
		i := rng.IntN(len(whole))
		hit := 0
		for at[hit+1] <= i {
			hit++
		}
		if rng.IntN(2) == 0 { // headers are what matters most
			i = at[hit] + rng.IntN(headerSize)
		}
		b[i] ^= 1 << rng.IntN(8)
		what := fmt.Sprintf("byte %d of record %d", i-at[hit], hit)
		f, dir, got := recovered(t, map[string][]byte{segmentName(1): b, segmentName(31): next})
		want := append(append(append([]string{}, records[:hit]...), records[hit+1:]...), more...)
		require.Equal(t, want, got, what)
		require.Equal(t, 1, f.corruptions(CorruptDamaged), what)
		require.Equal(t, 1, f.corruptions(), what)
		requireQuarantined(t, dir, string(b[at[hit]:at[hit+1]]))
		f.close(t)
	}
}

// A file that is cut loses what was cut off and nothing else, and is taken for
// an unfinished write when it is the last one.
func TestRecover_TruncatedSegment(t *testing.T) {
	records, more := payloads(30), payloads(2)
	whole, at := segmentOf(records, 1)
	next, _ := segmentOf(more, 31)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		cut := rng.IntN(len(whole))
		left := 0
		for at[left+1] <= cut {
			left++
		}
		what := fmt.Sprintf("cut at %d, %d left", cut, left)
		short := whole[:cut]
		if cut%2 == 0 { // as where space was preallocated
			short = append(bytes.Clone(short), make([]byte, 9000)...)
		}
		f, dir, got := recovered(t, map[string][]byte{segmentName(1): short})
		require.Equal(t, records[:left], append([]string{}, got...), what)
		require.Zero(t, f.corruptions(CorruptMissing), what)
		if cut > at[left] {
			require.Equal(t, 1, f.corruptions(CorruptTorn), what)
			require.Contains(t, f.logs.String(), "level=WARN")
			requireQuarantined(t, dir, strings.TrimRight(string(whole[at[left]:cut]), "\x00"))
		} else {
			require.Zero(t, f.corruptions(), what)
		}
		f.close(t)

		f, _, got = recovered(t, map[string][]byte{segmentName(1): short, segmentName(31): next})
		require.Equal(t, append(append([]string{}, records[:left]...), more...), got, what)
		require.Equal(t, 30-left, f.corruptions(), what)
		require.Contains(t, f.logs.String(), "level=ERROR", what)
		f.close(t)
	}
}

func TestRecover_NothingReadable(t *testing.T) {
	whole, _ := segmentOf(payloads(3), 5)
	for name, b := range map[string][]byte{
		"noise": bytes.Repeat([]byte("noise"), 3000), "one byte": {0xff}, "header": whole[:headerSize],
	} {
		t.Run(name, func(t *testing.T) {
			f, dir, got := recovered(t, map[string][]byte{segmentName(5): b, "stray.seg": b, "other": b})
			require.Empty(t, got)
			require.Equal(t, 1, f.corruptions())
			require.FileExists(t, filepath.Join(dir, quarantineDir, segmentName(5)))
			// It works all the same.
			appended := payloads(3)
			f.appendEach(t, appended...)
			f.close(t)
			f = openJournal(t, dir)
			require.Equal(t, appended, f.drain(t, 10))
			require.Zero(t, f.corruptions())
		})
	}
	for name, b := range map[string][]byte{"empty": {}, "preallocated": make([]byte, 10_000)} {
		t.Run(name, func(t *testing.T) {
			f, _, got := recovered(t, map[string][]byte{segmentName(5): b})
			require.Empty(t, got)
			require.Zero(t, f.corruptions())
		})
	}
}

// A payload of text cannot pass for a record, even when it is crafted to.
func TestRecover_RecordInARecord(t *testing.T) {
	inner, _ := segmentOf(payloads(1), 1)
	records := payloads(3)
	records[1] = fmt.Sprintf(`{"x":%q}`, inner)
	whole, at := segmentOf(records, 1)
	whole[at[1]+crcAt] ^= 1
	_, _, got := recovered(t, map[string][]byte{segmentName(1): whole})
	require.Equal(t, []string{records[0], records[2]}, got)
}

func TestRecover_MissingSegment(t *testing.T) {
	a, c := payloads(10), payloads(10)
	first, _ := segmentOf(a, 1)
	last, _ := segmentOf(c, 21)
	f, _, got := recovered(t, map[string][]byte{segmentName(1): first, segmentName(21): last})
	require.Equal(t, append(append([]string{}, a...), c...), got)
	require.Equal(t, 10, f.corruptions(CorruptMissing))
	require.Equal(t, 10, f.corruptions())
}

func TestRecover_DamagedCursor(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir)
	appended := payloads(3)
	f.appendEach(t, appended...)
	for range 2 {
		records, err := f.Reader().Read(1)
		require.NoError(t, err)
		f.Reader().Release(records[0].Seq)
	}
	f.close(t)
	whole, err := os.ReadFile(filepath.Join(dir, cursorName))
	require.NoError(t, err)
	for name, damage := range map[string]struct {
		change func(b []byte) []byte
		from   int
		loud   bool
	}{
		"untouched":  {func(b []byte) []byte { return b }, 2, false},
		"newest bad": {func(b []byte) []byte { b[20] ^= 4; return b }, 1, false},
		"older bad":  {func(b []byte) []byte { b[cursorStride+20] ^= 4; return b }, 2, false},
		"both bad":   {func(b []byte) []byte { b[20] ^= 4; b[cursorStride+9] ^= 1; return b }, 0, true},
		"cut":        {func(b []byte) []byte { return b[:10] }, 0, false},
		"empty":      {func([]byte) []byte { return nil }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			copied := t.TempDir()
			require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
			b := damage.change(bytes.Clone(whole))
			require.NoError(t, os.WriteFile(filepath.Join(copied, cursorName), b, 0o600))
			f := openJournal(t, copied)
			require.Equal(t, appended[damage.from:], f.drain(t, 10))
			if !damage.loud {
				require.NotContains(t, f.logs.String(), "ERROR")
				return
			}
			require.Contains(t, f.logs.String(), "level=ERROR msg=\"the journal's cursor cannot be read")
			require.FileExists(t, filepath.Join(copied, quarantineDir, cursorName))
			require.Equal(t, 1, f.corruptions(CorruptCursor))
		})
	}
}

// FuzzRecover opens a directory of which any byte may be anything. It works
// again in every case, and what was not touched is not lost.
func FuzzRecover(f *testing.F) {
	first, second := payloads(6), payloads(6)
	a, at := segmentOf(first, 1)
	b, _ := segmentOf(second, 7)
	f.Add(0, byte(1), 0, []byte{}, 0)
	f.Add(at[2]+lengthAt+3, byte(0x7f), 0, []byte("\xffEP\xfe"), at[4])
	f.Add(at[3], byte(0), 10, []byte{1, 2, 3}, 5000)
	f.Add(-1, byte(0), len(a), []byte{0xff}, 0)
	f.Fuzz(func(t *testing.T, i int, mask byte, cut int, cursor []byte, splice int) {
		damaged := bytes.Clone(a)
		touched := map[int]bool{}
		touch := func(i int) {
			for k := range first {
				if i >= at[k] && i < at[k+1] {
					touched[k] = true
				}
			}
		}
		if i >= 0 && i < len(damaged) && mask != 0 {
			damaged[i] ^= mask
			touch(i)
		}
		if splice >= 0 && splice < len(damaged) && len(cursor) > 0 {
			n := copy(damaged[splice:], cursor)
			for k := range n {
				touch(splice + k)
			}
		}
		if cut > 0 && cut <= len(damaged) {
			for k := len(damaged) - cut; k < len(damaged); k++ {
				touch(k)
			}
			damaged = damaged[:len(damaged)-cut]
		}
		if len(cursor) > cursorSize {
			cursor = cursor[:cursorSize-1] // never a valid one
		}
		f, _, got := recovered(t, map[string][]byte{segmentName(1): damaged, segmentName(7): b, cursorName: cursor})
		read := map[string]bool{}
		for _, p := range got {
			read[p] = true
		}
		for k, p := range first {
			require.True(t, touched[k] || read[p], "record %d was not touched", k)
		}
		for _, p := range second {
			require.True(t, read[p])
		}
		require.LessOrEqual(t, len(got), len(first)+len(second))
		appended := payloads(3)
		f.appendEach(t, appended...)
		require.Equal(t, appended, f.drain(t, 10))
		f.close(t)
	})
}
