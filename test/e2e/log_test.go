//go:build unix

package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// program is a role in a process of its own.
type program struct {
	*exec.Cmd
	t     *testing.T
	admin string
	done  chan error
}

// start runs a role whose output goes to the files, and ends it with the test.
func (p *pipeline) start(stdout, stderr *os.File, args ...string) *program {
	p.t.Helper()
	self, err := os.Executable()
	require.NoError(p.t, err)
	admin, err := servers.ReserveAddr()
	require.NoError(p.t, err)
	c := exec.Command(self, append(args, "--admin.addr", admin)...)
	c.Env = []string{
		commandVariable + "=1", "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0",
		"REDIS_URL=" + p.redis.URL(), "DATABASE_URL=" + p.dbURL, "EVENTPULSE_LOG_LEVEL=debug",
		"EVENTPULSE_HTTP_DRAIN_DELAY=0s", "EVENTPULSE_WORKER_BLOCK=200ms", "EVENTPULSE_WORKER_BATCH_SIZE=10",
	}
	c.Stdout, c.Stderr = stdout, stderr
	require.NoError(p.t, c.Start())
	r := &program{Cmd: c, t: p.t, admin: admin, done: make(chan error, 1)}
	go func() { r.done <- c.Wait() }()
	p.t.Cleanup(func() { _ = c.Process.Kill() }) // it has ended, unless the test has failed
	return r
}

func (r *program) ready() *program {
	r.t.Helper()
	// A process that is blocked listens all the same, and answers nothing.
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	eventually(r.t, "ready", func() bool {
		res, err := client.Get("http://" + r.admin + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusOK
	})
	return r
}

// terminate asks the process to end, which it must do in order.
func (r *program) terminate() {
	r.t.Helper()
	require.NoError(r.t, r.Process.Signal(syscall.SIGTERM))
	ended := false
	eventually(r.t, "an end after SIGTERM", func() bool {
		select {
		case err := <-r.done:
			require.NoError(r.t, err)
			ended = true
		default:
		}
		return ended
	})
}

// droppedLines is what the process counts of its log.
func (r *program) droppedLines() float64 {
	r.t.Helper()
	_, text := get(r.t, "http://"+r.admin+"/metrics")
	for line := range strings.Lines(text) {
		var n float64
		if _, err := fmt.Sscanf(line, "eventpulse_log_dropped_lines_total %g", &n); err == nil {
			return n
		}
	}
	require.Fail(r.t, "the metric is missing", text)
	return 0
}

// fullPipe returns a pipe that takes nothing until it is read: a write to it
// blocks.
func fullPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	fd := int(w.Fd())
	require.NoError(t, syscall.SetNonblock(fd, true))
	for size := 4096; size > 0; {
		if _, err := syscall.Write(fd, bytes.Repeat([]byte("x"), size)); errors.Is(err, syscall.EAGAIN) {
			size /= 2
		} else {
			require.NoError(t, err)
		}
	}
	require.NoError(t, syscall.SetNonblock(fd, false))
	return r, w
}

// brokenPipe returns a pipe whose reader has gone.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// postAll posts n events in batches of 100.
func postAll(t *testing.T, url string, n int) {
	t.Helper()
	one := `{"event_type":"a","source":"log","timestamp":"2026-01-02T03:04:05Z"}`
	batch := "[" + strings.TrimSuffix(strings.Repeat(one+",", 100), ",") + "]"
	for range n / 100 {
		res, err := http.Post(url+"/api/v1/events/batch", "application/json", strings.NewReader(batch))
		require.NoError(t, err)
		_ = res.Body.Close()
		require.Equal(t, http.StatusAccepted, res.StatusCode)
	}
}

func TestWork_StoresWhileNobodyReadsItsLog(t *testing.T) {
	const events = 900
	p := newPipeline(t)
	serve := p.serve().ready(t)
	r, w := fullPipe(t)
	work := p.start(w, w, "work").ready()
	postAll(t, "http://"+serve.addr, events)
	eventually(t, "all stored and acknowledged", func() bool { return p.count() == events && p.pending() == 0 })
	work.terminate()
	require.NoError(t, w.Close())
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, strings.Trim(string(text), "x"), "the pipe had space: this test has shown nothing")
}

func TestServe_AcceptsWhileNobodyReadsItsLog(t *testing.T) {
	const events = 300
	p := newPipeline(t)
	_, w := fullPipe(t)
	addr, err := servers.ReserveAddr()
	require.NoError(t, err)
	serve := p.start(w, w, "serve", "--http.addr", addr, "--spool.dir", t.TempDir()).ready()
	p.work().ready(t)
	postAll(t, "http://"+addr, events)
	eventually(t, "all stored", func() bool { return p.count() == events })
	serve.terminate()
}

func TestServeAndWork_GoOnWhenTheirLogsReaderIsGone(t *testing.T) {
	const events = 900
	p := newPipeline(t)
	addr, err := servers.ReserveAddr()
	require.NoError(t, err)
	gone := brokenPipe(t)
	serve := p.start(gone, gone, "serve", "--http.addr", addr, "--spool.dir", t.TempDir()).ready()
	work := p.start(gone, gone, "work").ready()
	postAll(t, "http://"+addr, events)
	eventually(t, "all stored and acknowledged", func() bool { return p.count() == events && p.pending() == 0 })
	require.Positive(t, serve.droppedLines())
	require.Positive(t, work.droppedLines())
	serve.terminate()
	work.terminate()
}

// The one-process mode prints what it stores before it acknowledges it.
func TestDev_StoresWhileNobodyReadsItsOutput(t *testing.T) {
	const events = 900
	p := newPipeline(t)
	_, stalled := fullPipe(t)
	for name, out := range map[string]*os.File{"stalled": stalled, "gone": brokenPipe(t)} {
		t.Run(name, func(t *testing.T) {
			addr, err := servers.ReserveAddr()
			require.NoError(t, err)
			dir := t.TempDir()
			dev := p.start(out, out, "dev", "--http.addr", addr, "--data-dir", dir).ready()
			postAll(t, "http://"+addr, events)
			db, err := sql.Open("sqlite", filepath.Join(dir, "eventpulse.db"))
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			eventually(t, "all stored", func() bool {
				var n int
				err := db.QueryRow("SELECT count(*) FROM events").Scan(&n)
				return err == nil && n == events
			})
			dev.terminate()
		})
	}
}
