package logwriter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// destination is a reader of the log that can stall, fail, and take a part.
type destination struct {
	mu      sync.Mutex
	text    bytes.Buffer
	stalled chan struct{} // writes wait until it is closed; nil when they do not
	fail    func(p []byte) (int, error)
	writes  []int
}

func (d *destination) Write(p []byte) (int, error) {
	d.mu.Lock()
	stalled := d.stalled
	d.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
	d.mu.Lock()
	fail := d.fail
	d.mu.Unlock()
	n, err := len(p), error(nil)
	if fail != nil {
		n, err = fail(p)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = append(d.writes, n)
	d.text.Write(p[:n])
	return n, err
}

func (d *destination) stall() (resume func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stalled := make(chan struct{})
	d.stalled = stalled
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.stalled = nil
		close(stalled)
	})
}

func (d *destination) failWith(fail func(p []byte) (int, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *destination) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// bracketed is a notice that is easy to find.
func bracketed(dropped uint64) []byte { return fmt.Appendf(nil, "[%d]\n", dropped) }

// limitFor is a limit that n lines of so many bytes fill.
func limitFor(n, bytes int) int { return n * (bytes + entryOverhead) }

func TestWriter_KeepsOrderAndLosesNothingWhileRead(t *testing.T) {
	var d destination
	w := New(&d, DefaultLimit)
	var want strings.Builder
	for i := range 5000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		n, err := io.WriteString(w, line)
		require.NoError(t, err)
		require.Equal(t, len(line), n)
	}
	require.True(t, w.Close(time.Minute))
	require.Equal(t, want.String(), d.String())
	require.Zero(t, w.Dropped())
	for _, n := range d.writes {
		require.LessOrEqual(t, n, maxWrite, "what is written at once must not mix with other processes' lines")
	}
}

func TestWriter_CopiesItsInput(t *testing.T) {
	var d destination
	resume := d.stall()
	w := New(&d, DefaultLimit)
	line := []byte("as it was\n")
	_, _ = w.Write(line)
	copy(line, "as it is ")
	resume()
	require.True(t, w.Close(time.Minute))
	require.Equal(t, "as it was\n", d.String())
}

func TestWriter_StalledDestinationDropsTheNewestAndMarksTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d destination
		resume := d.stall()
		w := New(&d, limitFor(10, len("00\n")))
		w.SetNotice(bracketed)
		for i := range 25 {
			_, _ = fmt.Fprintf(w, "%02d\n", i)
		}
		require.EqualValues(t, 15, w.Dropped())
		resume()
		synctest.Wait() // told although no further line follows
		require.Equal(t, "00\n01\n02\n03\n04\n05\n06\n07\n08\n09\n[15]\n", d.String())
		_, _ = io.WriteString(w, "25\n")
		require.True(t, w.Close(time.Second))
		require.True(t, strings.HasSuffix(d.String(), "09\n[15]\n25\n"), d.String())
	})
}

func TestWriter_AcceptsAgainOnlyWhenHalfIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := strings.Repeat("x", maxWrite-1) + "\n" // one write each
		resumed := make(chan struct{})
		d := &destination{}
		d.failWith(func(p []byte) (int, error) { resumed <- struct{}{}; return len(p), nil })
		w := New(d, limitFor(4, len(line)))
		w.SetNotice(bracketed)
		write := func() { _, _ = io.WriteString(w, line) }
		for range 5 {
			write()
		}
		require.EqualValues(t, 1, w.Dropped())
		<-resumed
		synctest.Wait()
		write() // one of four is free
		require.EqualValues(t, 2, w.Dropped())
		<-resumed
		synctest.Wait()
		write() // two are
		require.EqualValues(t, 2, w.Dropped())
		go func() {
			for range resumed {
			}
		}()
		require.True(t, w.Close(time.Second))
		close(resumed)
		require.Equal(t, 1, strings.Count(d.String(), "[2]\n"))
	})
}

func TestWriter_BoundsItsMemoryForShortLinesToo(t *testing.T) {
	var d destination
	resume := d.stall()
	w := New(&d, 64<<10)
	for range 100_000 {
		_, _ = w.Write([]byte("\n"))
	}
	w.mu.Lock()
	require.LessOrEqual(t, w.size, w.limit)
	require.LessOrEqual(t, len(w.queue), w.limit/entryOverhead)
	w.mu.Unlock()
	resume()
	require.True(t, w.Close(time.Minute))
}

func TestWriter_LineLargerThanTheLimitIsDroppedAlone(t *testing.T) {
	var d destination
	w := New(&d, 1000)
	w.SetNotice(bracketed)
	_, _ = w.Write(bytes.Repeat([]byte("x"), 2000))
	_, _ = io.WriteString(w, "next\n")
	require.True(t, w.Close(time.Minute))
	require.Contains(t, d.String(), "[1]\n")
	require.Contains(t, d.String(), "next\n")
	require.EqualValues(t, 1, w.Dropped())
}

func TestWriter_FailedLinesAreCountedAndToldWhenItWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d destination
		d.failWith(func([]byte) (int, error) { return 0, syscall.ENOSPC })
		w := New(&d, DefaultLimit)
		w.SetNotice(bracketed)
		for range 3 {
			_, err := io.WriteString(w, "lost\n")
			require.NoError(t, err)
			synctest.Wait()
		}
		require.EqualValues(t, 3, w.Dropped())
		d.failWith(nil)
		_, _ = io.WriteString(w, "kept\n")
		require.True(t, w.Close(time.Second))
		require.Equal(t, "[3]\nkept\n", d.String())
		require.EqualValues(t, 3, w.Dropped())
	})
}

func TestWriter_DroppedAndFailedLinesAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d destination
		resume := d.stall()
		d.failWith(func([]byte) (int, error) { return 0, syscall.EPIPE })
		w := New(&d, limitFor(2, len("0\n")))
		w.SetNotice(bracketed)
		for i := range 5 {
			_, _ = fmt.Fprintf(w, "%d\n", i)
		}
		resume()
		synctest.Wait() // two failed, three dropped, and their notice failed as well
		d.failWith(nil)
		_, _ = io.WriteString(w, "5\n")
		require.True(t, w.Close(time.Second))
		require.Equal(t, "[5]\n5\n", d.String())
		require.EqualValues(t, 5, w.Dropped())
	})
}

func TestWriter_PartialWriteEndsItsLineBeforeTheNext(t *testing.T) {
	for name, fail := range map[string]error{"with an error": io.ErrClosedPipe, "without": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d destination
				resume := d.stall()
				w := New(&d, DefaultLimit)
				w.SetNotice(bracketed)
				_, _ = io.WriteString(w, "zero\n")
				synctest.Wait() // it is being written, so the next two are one write
				_, _ = io.WriteString(w, "one\n")
				_, _ = io.WriteString(w, "two\n")
				d.failWith(func(p []byte) (int, error) {
					if string(p) == "zero\n" {
						return len(p), nil
					}
					return len("one\ntw"), fail
				})
				resume()
				synctest.Wait()
				require.EqualValues(t, 1, w.Dropped())
				d.failWith(nil)
				_, _ = io.WriteString(w, "three\n")
				require.True(t, w.Close(time.Second))
				require.Equal(t, "zero\none\ntw\n[1]\nthree\n", d.String())
			})
		})
	}
}

// A descriptor is shared with whoever else has it, and one of them may make it
// non-blocking.
func TestWriter_NonBlockingDescriptorIsSlowNotBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d destination
		attempts := 0
		d.failWith(func(p []byte) (int, error) {
			if attempts++; attempts%3 != 0 {
				return 1, &os.PathError{Op: "write", Path: "/dev/stderr", Err: syscall.EAGAIN}
			}
			return len(p), nil
		})
		w := New(&d, DefaultLimit)
		_, _ = io.WriteString(w, "all of it\n")
		require.True(t, w.Close(time.Minute))
		require.Equal(t, "all of it\n", d.String())
		require.Zero(t, w.Dropped())
	})
}

func TestWriter_CloseIsBoundedWhereNothingCanBeWritten(t *testing.T) {
	for name, prepare := range map[string]func(*destination) (resume func()){
		"stalled": (*destination).stall,
		"non-blocking": func(d *destination) func() {
			d.failWith(func([]byte) (int, error) { return 0, syscall.EAGAIN })
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d destination
				resume := prepare(&d)
				w := New(&d, DefaultLimit)
				_, _ = io.WriteString(w, "unread\n")
				began := time.Now()
				require.False(t, w.Close(time.Second))
				require.Equal(t, time.Second, time.Since(began)) // synctest's clock
				_, err := io.WriteString(w, "too late\n")
				require.NoError(t, err)
				require.NotZero(t, w.Dropped())
				resume()
				<-w.done
			})
		})
	}
}

func TestWriter_CloseReturnsWhenEverythingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d destination
		w := New(&d, DefaultLimit)
		_, _ = io.WriteString(w, "the last line\n")
		began := time.Now()
		require.True(t, w.Close(time.Hour))
		require.Zero(t, time.Since(began))
		require.Equal(t, "the last line\n", d.String())
	})
}

// Lines that are written concurrently come out whole, each goroutine's in its
// order, and every one is either there or counted.
func TestWriter_ConcurrentLinesAreWholeOrCounted(t *testing.T) {
	const writers, lines = 8, 2000
	var d destination
	w := New(&d, 8<<10)
	w.SetNotice(func(uint64) []byte { return nil })
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for j := range lines {
				_, _ = fmt.Fprintf(w, "%d %d\n", i, j)
			}
		})
	}
	all.Wait()
	require.True(t, w.Close(time.Minute))
	var last [writers]int
	written := uint64(0)
	for line := range strings.Lines(d.String()) {
		var i, j int
		n, err := fmt.Sscanf(line, "%d %d\n", &i, &j)
		require.NoError(t, err, line)
		require.Equal(t, 2, n)
		require.GreaterOrEqual(t, j, last[i])
		last[i] = j + 1
		written++
	}
	require.EqualValues(t, writers*lines, written+w.Dropped())
}

// The kernel's own pipes: one that nobody reads, then one whose reader goes.
func TestWriter_PipeThatNobodyReads(t *testing.T) {
	r, p, err := os.Pipe()
	require.NoError(t, err)
	w := New(p, 64<<10)
	log := slog.New(slog.NewJSONHandler(w, nil))
	for i := range 10_000 { // far more than pipe and queue hold
		log.Info("a line that nobody reads", "n", i)
	}
	require.NotZero(t, w.Dropped())
	require.False(t, w.Close(time.Millisecond))
	require.NoError(t, r.Close())
	<-w.done
	require.NoError(t, p.Close())
}

func TestWriter_Register(t *testing.T) {
	reg := prometheus.NewRegistry()
	d := &destination{}
	d.failWith(func([]byte) (int, error) { return 0, errors.New("gone") })
	w := New(d, DefaultLimit)
	w.Register(reg)
	w.Register(nil) // as all metrics here, without a registry too
	_, _ = io.WriteString(w, "lost\n")
	require.True(t, w.Close(time.Minute))
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP eventpulse_log_dropped_lines_total Lines of the log that were dropped because whoever reads the log has stopped or gone.
# TYPE eventpulse_log_dropped_lines_total counter
eventpulse_log_dropped_lines_total 1
`)))
}

func BenchmarkWriter(b *testing.B) {
	w := New(io.Discard, DefaultLimit)
	line := bytes.Repeat([]byte("x"), 200)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = w.Write(line)
	}
	b.StopTimer()
	w.Close(time.Minute)
}
