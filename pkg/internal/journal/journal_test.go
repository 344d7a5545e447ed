package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/internal/durable"
	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
)

func TestJournal_KeepsOrderAcrossSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	var appended []string
	for range 3 {
		f := openJournal(t, dir, withSegments(4<<10))
		for range 40 {
			batch := payloads(3)
			f.append(t, batch...)
			appended = append(appended, batch...)
		}
		f.close(t)
	}
	require.Greater(t, len(segments(t, dir)), 9)

	f := openJournal(t, dir, withSegments(4<<10))
	require.EqualValues(t, len(appended), f.Stats().Records)
	require.Positive(t, f.Stats().Bytes)
	require.Equal(t, appended, f.drain(t, 7))
	f.close(t)
	require.Empty(t, segments(t, dir))

	f = openJournal(t, dir)
	require.Zero(t, f.Stats())
	require.Empty(t, f.drain(t, 7))
	require.Zero(t, f.corruptions())
}

func TestReader_GoesOnWhereItReleased(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir)
	appended := payloads(100)
	f.appendEach(t, appended...)
	records, err := f.Reader().Read(60)
	require.NoError(t, err)
	require.Len(t, records, 60)
	f.Reader().Release(records[39].Seq)
	require.EqualValues(t, 60, f.Stats().Records)
	again, err := f.Reader().Read(1000)
	require.NoError(t, err)
	require.Equal(t, records[40:], again, "what is read and not released comes first")
	f.Reader().Release(0) // released long ago
	require.EqualValues(t, 60, f.Stats().Records)
	f.close(t)

	f = openJournal(t, dir)
	require.EqualValues(t, 60, f.Stats().Records)
	require.Equal(t, appended[40:], f.drain(t, 10))
	require.Zero(t, f.corruptions())
}

func TestReader_ReturnsTheTimeOfARecord(t *testing.T) {
	f := openJournal(t, t.TempDir())
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)
	require.NoError(t, f.Append(t.Context(), testTimeout, batchOf(at, []string{"a", ""})))
	require.False(t, f.Stats().Oldest.IsZero())
	records, err := f.Reader().Read(10)
	require.NoError(t, err)
	require.Len(t, records, 2)
	require.True(t, at.Equal(records[0].At))
	require.True(t, at.Equal(f.Stats().Oldest))
	require.Equal(t, "a", string(records[0].Payload))
	require.Empty(t, records[1].Payload)
	f.Reader().Release(records[1].Seq)
	require.True(t, f.Stats().Oldest.IsZero())
}

func TestReader_QuarantineTakesOneRecordOut(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir)
	f.append(t, "first", "second", "third")
	records, err := f.Reader().Read(10)
	require.NoError(t, err)
	f.Reader().Quarantine(records[1], os.ErrInvalid)
	require.Equal(t, 1, f.corruptions(CorruptUndecodable))
	requireQuarantined(t, dir, "second")
	left, err := f.Reader().Read(10)
	require.NoError(t, err)
	require.Equal(t, []Record{records[0], records[2]}, left)
	for _, r := range left {
		f.Reader().Quarantine(r, os.ErrInvalid)
	}
	require.Zero(t, f.Stats().Records, "nothing is left to be released")
	require.FileExists(t, segments(t, dir)[0])
}

func TestJournal_GivesDiskSpaceBack(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir, withSegments(16<<10))
	for range 30 {
		f.append(t, payloads(20)...)
	}
	require.Greater(t, len(segments(t, dir)), 5)
	f.drain(t, 100)
	files := segments(t, dir)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), 16<<10)
	require.Less(t, len(bytes.Trim(b, "\x00")), 8<<10)

	f.append(t, payloads(1)...)
	require.Len(t, segments(t, dir), 1, "the segment that is left is used")
}

func TestAppend_FullAtMaxBytesUntilReleased(t *testing.T) {
	const maxBytes = 1 << 20
	f := openJournal(t, t.TempDir(), func(o *Options) { o.MaxBytes = maxBytes })
	var appended []string
	var err error
	for err == nil {
		batch := payloads(10)
		if err = f.tryAppend(batch...); err == nil {
			appended = append(appended, batch...)
		}
	}
	require.ErrorIs(t, err, ErrFull)
	require.True(t, f.Stats().Full)
	require.LessOrEqual(t, f.Stats().Bytes, int64(maxBytes))
	require.Greater(t, f.Stats().Bytes, int64(maxBytes*8/10))
	require.Contains(t, f.logs.String(), "the journal is full")
	for err = nil; err == nil; { // smaller ones still fit
		batch := payloads(1)
		if err = f.tryAppend(batch...); err == nil {
			appended = append(appended, batch...)
		}
	}
	require.ErrorIs(t, f.Check(testTimeout), ErrFull)

	require.Equal(t, appended, f.drain(t, 100))
	require.NoError(t, f.Check(testTimeout))
	f.append(t, payloads(1)...)
	require.False(t, f.Stats().Full)
	require.Contains(t, f.logs.String(), "has space again")
}

func TestAppend_LeavesFreeBytesToOthers(t *testing.T) {
	fs := durabletest.NewSizedFS(100<<20, 1<<30)
	f := openJournal(t, t.TempDir(), func(o *Options) { o.FS, o.MinFreeBytes = fs, 90<<20 })
	f.append(t, payloads(1)...)
	fs.Resize(90<<20, 1<<30)
	require.ErrorIs(t, f.tryAppend(payloads(1)...), ErrFull)
	require.ErrorIs(t, f.Check(testTimeout), ErrFull)
	// Of a small disk a tenth is enough.
	fs.Resize(4<<20, 24<<20)
	f.append(t, payloads(1)...)
	require.NoError(t, f.Check(testTimeout))
	fs.Resize(2<<20, 24<<20)
	require.ErrorIs(t, f.tryAppend(payloads(1)...), ErrFull)
	// A disk that does not say is believed to have space.
	fs.Resize(-1, -1)
	f.append(t, payloads(1)...)
}

func TestOpen_LocksTheDirectory(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir)
	_, err := tryOpen(dir)
	require.ErrorIs(t, err, durable.ErrLocked)
	f.close(t)
	openJournal(t, dir)
}

func TestOpen_FileInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := tryOpen(file)
	require.Error(t, err)
}

func TestAppend_AfterCloseIsErrClosed(t *testing.T) {
	f := openJournal(t, t.TempDir())
	f.close(t)
	require.ErrorIs(t, f.tryAppend("x"), ErrClosed)
}

func TestInspect_WhileInUse(t *testing.T) {
	dir := t.TempDir()
	f := openJournal(t, dir)
	f.append(t, payloads(3)...)
	info, err := Inspect(dir)
	require.NoError(t, err)
	require.Equal(t, 1, info.Segments)
	require.GreaterOrEqual(t, info.Bytes, f.Stats().Bytes)
	require.Zero(t, info.Quarantined)
	records, err := f.Reader().Read(1)
	require.NoError(t, err)
	f.Reader().Quarantine(records[0], os.ErrInvalid)
	info, err = Inspect(dir)
	require.NoError(t, err)
	require.Equal(t, 1, info.Quarantined)
	require.DirExists(t, info.QuarantineDir)

	info, err = Inspect(filepath.Join(dir, "none"))
	require.NoError(t, err)
	require.Zero(t, info.Segments)
}
