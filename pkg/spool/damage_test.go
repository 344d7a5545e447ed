package spool

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// segmentOf returns the bytes of a segment with these events, and where each
// record begins.
func segmentOf(events []event.Event, first uint64) (b []byte, at []int) {
	for i := range events {
		at = append(at, len(b))
		b = appendRecord(b, &events[i], time.UnixMicro(1))
	}
	seal(b, first)
	return b, append(at, len(b))
}

// recovered opens a spool with these segments and returns what it publishes.
func recovered(t testing.TB, files map[string][]byte) (*rig, []uuid.UUID) {
	t.Helper()
	dir := memoryDir(t)
	for name, b := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	r := start(t, quick(dir), newStream(takes), withSegments(16<<10))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.drained(t)
	cancel()
	<-done
	return r, r.stream.taken()
}

func (r *rig) corrupt(t testing.TB) (sum float64) {
	for _, kind := range []string{kindDamaged, kindMissing, kindTorn, kindUndecodable, kindUnreadable, kindCursor, kindRefused} {
		sum += r.metric(t, "corrupt_records_total", "kind", kind)
	}
	return sum
}

// Whatever one bit is changed to, only the record it is in is lost, it is
// counted once and kept.
func TestFlippedBit(t *testing.T) {
	events := makeEvents(30)
	whole, at := segmentOf(events, 1)
	next, _ := segmentOf(makeEvents(2), 31)
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
		r, got := recovered(t, map[string][]byte{segmentName(1): b, segmentName(31): next})
		require.Len(t, got, len(events)-1+2, what)
		want := append(ids(events[:hit]), ids(events[hit+1:])...)
		require.Equal(t, want, got[:len(want)], what)
		require.EqualValues(t, 1, r.metric(t, "corrupt_records_total", "kind", kindDamaged), what)
		require.EqualValues(t, 1, r.corrupt(t), what)
		requireSetAside(t, r.cfg.Dir, string(b[at[hit]:at[hit+1]]))
	}
}

// A file that is cut loses what was cut off and nothing else, and is taken for
// an unfinished write when it is the last one.
func TestTruncated(t *testing.T) {
	events := makeEvents(30)
	whole, at := segmentOf(events, 1)
	more := makeEvents(2)
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
		if cut%2 == 0 { // as where room was reserved
			short = append(bytes.Clone(short), make([]byte, 9000)...)
		}
		r, got := recovered(t, map[string][]byte{segmentName(1): short})
		require.Equal(t, ids(events[:left]), append([]uuid.UUID{}, got...), what)
		require.Zero(t, r.metric(t, "corrupt_records_total", "kind", kindMissing), what)
		if cut > at[left] {
			require.EqualValues(t, 1, r.metric(t, "corrupt_records_total", "kind", kindTorn), what)
			require.Contains(t, r.logs.String(), "level=WARN")
			requireSetAside(t, r.cfg.Dir, strings.TrimRight(string(whole[at[left]:cut]), "\x00"))
		} else {
			require.Zero(t, r.corrupt(t), what)
		}

		r, got = recovered(t, map[string][]byte{segmentName(1): short, segmentName(31): next})
		require.Equal(t, append(ids(events[:left]), ids(more)...), got, what)
		require.EqualValues(t, 30-left, r.corrupt(t), what)
		require.Contains(t, r.logs.String(), "level=ERROR", what)
	}
}

func TestUnknownRecords(t *testing.T) {
	events := makeEvents(3)
	whole, at := segmentOf(events, 1)
	newer := bytes.Clone(whole)
	newer[at[1]+headerSize] = version + 1
	seal(newer, 1)
	r, got := recovered(t, map[string][]byte{segmentName(1): newer})
	require.Equal(t, []uuid.UUID{events[0].ID, events[2].ID}, got)
	require.EqualValues(t, 1, r.metric(t, "corrupt_records_total", "kind", kindUndecodable))
	requireSetAside(t, r.cfg.Dir, string(newer[at[1]:at[2]]))
}

func TestNothingToRead(t *testing.T) {
	whole, _ := segmentOf(makeEvents(3), 5)
	for name, b := range map[string][]byte{
		"noise": bytes.Repeat([]byte("noise"), 3000), "one byte": {0xff}, "header": whole[:headerSize],
	} {
		t.Run(name, func(t *testing.T) {
			r, got := recovered(t, map[string][]byte{segmentName(5): b, "stray.seg": b, "other": b})
			require.Empty(t, got)
			require.EqualValues(t, 1, r.corrupt(t))
			require.FileExists(t, filepath.Join(r.cfg.Dir, corruptDir, segmentName(5)))
			// It works all the same.
			r.stream.set(refuses)
			for range failuresToOpen {
				r.publish(t, makeEvents(1))
			}
			r.stop()
			s := newStream(takes)
			r = start(t, r.cfg, s)
			r.run(t)
			r.drained(t)
			require.Len(t, s.taken(), failuresToOpen)
			require.Zero(t, r.corrupt(t))
		})
	}
	for name, b := range map[string][]byte{"empty": {}, "reserved": make([]byte, 10_000)} {
		t.Run(name, func(t *testing.T) {
			r, got := recovered(t, map[string][]byte{segmentName(5): b})
			require.Empty(t, got)
			require.Zero(t, r.corrupt(t))
		})
	}
}

// Text cannot pass for a record, even when it is crafted to.
func TestRecordInARecord(t *testing.T) {
	inner, _ := segmentOf(makeEvents(1), 1)
	events := makeEvents(3)
	events[1].Payload = fmt.Sprintf(`{"x":%q}`, inner)
	whole, at := segmentOf(events, 1)
	whole[at[1]+crcAt] ^= 1
	_, got := recovered(t, map[string][]byte{segmentName(1): whole})
	require.Equal(t, []uuid.UUID{events[0].ID, events[2].ID}, got)
}

func TestSegmentsMissing(t *testing.T) {
	a, b, c := makeEvents(10), makeEvents(10), makeEvents(10)
	first, _ := segmentOf(a, 1)
	last, _ := segmentOf(c, 21)
	_ = b
	r, got := recovered(t, map[string][]byte{segmentName(1): first, segmentName(21): last})
	require.Equal(t, append(ids(a), ids(c)...), got)
	require.EqualValues(t, 10, r.metric(t, "corrupt_records_total", "kind", kindMissing))
	require.EqualValues(t, 10, r.corrupt(t))
}

func TestRecordRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 100, scanWindow - 100, scanWindow, 3 * scanWindow} {
		e := makeEvents(1)[0]
		e.Payload = `{"x":"` + string(bytes.Repeat([]byte("y"), size)) + `"}`
		b, _ := segmentOf([]event.Event{e, e}, 7)
		s := scanner{src: bytes.NewReader(b), end: int64(len(b))}
		for i := range uint64(2) {
			rec, err := s.next()
			require.NoError(t, err)
			require.Equal(t, sound, rec.flaw)
			require.Equal(t, 7+i, rec.seq)
			require.Equal(t, time.UnixMicro(1), rec.at)
			got, err := decode(rec.payload)
			require.NoError(t, err)
			require.Equal(t, e, got)
		}
	}
}

func FuzzRecord(f *testing.F) {
	b, _ := segmentOf(makeEvents(1), 1)
	f.Add(b[headerSize:])
	f.Add([]byte{version, 0})
	f.Add([]byte{version, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := decode(payload)
		if err != nil {
			return
		}
		// What can be read can be written and read again.
		b, _ := segmentOf([]event.Event{e}, 1)
		again, err := decode(b[headerSize:])
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}

// FuzzScan feeds a scanner with anything: it covers every byte once and finds
// every sound record that the damage left.
func FuzzScan(f *testing.F) {
	b, at := segmentOf(makeEvents(4), 1)
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
		bad := false
		for {
			rec, err := s.next()
			if err != nil {
				break
			}
			require.Equal(t, pos, rec.from)
			require.Greater(t, rec.to, rec.from)
			require.False(t, bad && rec.flaw != sound, "bad bytes come in one piece")
			bad = rec.flaw != sound
			pos = rec.to
			if !bad {
				_, _ = decode(rec.payload)
			}
		}
		// Zeros at the end are room.
		require.GreaterOrEqual(t, pos, int64(len(bytes.TrimRight(b, "\x00"))))
	})
}

// FuzzOpenDamaged opens a directory of which any byte may be anything. It
// works again in every case, and what was not touched is not lost.
func FuzzOpenDamaged(f *testing.F) {
	first, second := makeEvents(6), makeEvents(6)
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
		r, got := recovered(t, map[string][]byte{segmentName(1): damaged, segmentName(7): b, cursorName: cursor})
		taken := map[uuid.UUID]bool{}
		for _, id := range got {
			taken[id] = true
		}
		for k, e := range first {
			require.True(t, touched[k] || taken[e.ID], "record %d was not touched", k)
		}
		for _, e := range second {
			require.True(t, taken[e.ID])
		}
		require.LessOrEqual(t, len(got), len(first)+len(second))
		r.stream.set(refuses)
		for range failuresToOpen {
			r.publish(t, makeEvents(1))
		}
		backlog, _ := r.Backlog()
		require.EqualValues(t, failuresToOpen, backlog)
		r.stop()
	})
}
