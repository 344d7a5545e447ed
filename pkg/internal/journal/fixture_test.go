package journal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/internal/durable/durabletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout is how long appends wait: for ever, on a test's terms.
const testTimeout = time.Minute

// fixture is a journal under test.
type fixture struct {
	*Journal
	logs logBuffer

	mu      sync.Mutex
	corrupt map[Corruption]uint64
	commits []int // records of each
}

type option func(*Options)

func withSegments(bytes int64) option { return func(o *Options) { o.SegmentBytes = bytes } }
func withFS(fs *durabletest.FaultFS) option {
	return func(o *Options) { o.FS = fs }
}

// openJournal opens the journal in dir. It is closed with the test at the
// latest.
func openJournal(tb testing.TB, dir string, options ...option) *fixture {
	tb.Helper()
	f, err := tryOpen(dir, options...)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(f.logs.String())
		}
		_ = f.Close(testTimeout)
	})
	return f
}

func tryOpen(dir string, options ...option) (*fixture, error) {
	f := &fixture{corrupt: map[Corruption]uint64{}}
	o := Options{
		Dir: dir, MaxBytes: 1 << 30, Log: slog.New(slog.NewTextHandler(&f.logs, nil)),
		OnCommit: func(records int, _ time.Duration) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.commits = append(f.commits, records)
		},
		OnCorrupt: func(c Corruption, records uint64) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.corrupt[c] += records
		},
	}
	for _, option := range options {
		option(&o)
	}
	var err error
	f.Journal, err = Open(o)
	return f, err
}

// close closes the journal before the test ends.
func (f *fixture) close(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, f.Close(testTimeout))
}

// corruptions returns how many records are corrupt, of one kind or of all.
func (f *fixture) corruptions(kinds ...Corruption) (sum int) {
	if len(kinds) == 0 {
		kinds = Corruptions()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range kinds {
		sum += int(f.corrupt[c])
	}
	return sum
}

// committedRecords returns how many records each commit had.
func (f *fixture) committedRecords() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.commits)
}

// tryAppend appends records with these payloads as one batch.
func (f *fixture) tryAppend(payloads ...string) error {
	return f.Append(context.Background(), testTimeout, batchOf(time.Now(), payloads))
}

func (f *fixture) append(tb testing.TB, payloads ...string) {
	tb.Helper()
	require.NoError(tb, f.tryAppend(payloads...))
}

// appendEach appends records in a batch each.
func (f *fixture) appendEach(tb testing.TB, payloads ...string) {
	tb.Helper()
	for _, p := range payloads {
		f.append(tb, p)
	}
}

// drain reads and releases what there is, count records at a time, and returns
// the payloads. It tries again where reading fails.
func (f *fixture) drain(tb testing.TB, count int) (payloads []string) {
	tb.Helper()
	for range 10_000 {
		records, err := f.Reader().Read(count)
		if err == nil && len(records) == 0 {
			require.Zero(tb, f.Stats().Records)
			return payloads
		}
		if len(records) == 0 {
			continue
		}
		for _, r := range records {
			payloads = append(payloads, string(r.Payload))
		}
		f.Reader().Release(records[len(records)-1].Seq)
	}
	tb.Fatal("the journal is not drained")
	return nil
}

func batchOf(at time.Time, payloads []string) *Batch {
	var b Batch
	for _, p := range payloads {
		b.Add(at, func(dst []byte) []byte { return append(dst, p...) })
	}
	return &b
}

// payloads returns n payloads, different each time.
func payloads(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("id=%s shop/🛒 %s", uuid.Must(uuid.NewV7()), strings.Repeat("x", 200))
	}
	return out
}

// segmentOf returns the bytes of a segment with records of these payloads, and
// where each begins, and where the last one ends.
func segmentOf(payloads []string, first uint64) (b []byte, at []int) {
	for _, p := range payloads {
		at = append(at, len(b))
		b = appendRecord(b, time.UnixMicro(1), func(dst []byte) []byte { return append(dst, p...) })
	}
	number(b, first)
	return b, append(at, len(b))
}

func segments(tb testing.TB, dir string) []string {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	require.NoError(tb, err)
	return found
}

func isSegment(path string) bool { return strings.HasSuffix(path, segmentSuffix) }
func isCursor(path string) bool  { return filepath.Base(path) == cursorName }

// failing returns a fault for those paths that match.
func failing(match func(string) bool, err error) func(string) error {
	return func(path string) error {
		if match(path) {
			return err
		}
		return nil
	}
}

// requireQuarantined requires that a file in quarantine contains text.
func requireQuarantined(tb testing.TB, dir, text string) {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(dir, quarantineDir, "*"))
	require.NoError(tb, err)
	for _, path := range found {
		b, err := os.ReadFile(path)
		require.NoError(tb, err)
		if strings.Contains(string(b), text) {
			return
		}
	}
	tb.Fatalf("%q is in none of %v", text, found)
}

// fastDir returns a directory in memory where there is one: a test with
// hundreds of journals need not wait for a disk.
func fastDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
	return dir
}

// logBuffer collects what is logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
