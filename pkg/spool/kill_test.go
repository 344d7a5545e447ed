package spool

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

const (
	childPart = "EVENTPULSE_SPOOL_TEST_PART"
	childDir  = "EVENTPULSE_SPOOL_TEST_DIR"
)

// child is what the test binary does when a test starts it as a process to be
// killed. It writes ids, one a line, when they are safe.
func child(part string) {
	cfg := quick(os.Getenv(childDir))
	s := newStream(fails)
	var next Publisher = s
	if part == "drain" {
		next, cfg.DrainBatch = announcer{}, 20
	}
	spool, err := open(cfg, next, slog.New(slog.DiscardHandler), nil, journal.Options{SegmentBytes: 64 << 10})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	switch part {
	case "open":
		fmt.Println("opened")
	case "drain":
		spool.Run(context.Background())
	case "publish":
		for range 8 {
			go func() {
				for {
					events := makeEvents(1 + rand.IntN(3))
					if spool.Publish(context.Background(), events) == nil {
						announce(events)
					}
				}
			}()
		}
		select {}
	}
}

// announcer is a stream that accepts everything, a batch a millisecond, and says so.
type announcer struct{}

func (announcer) PublishWithin(_ context.Context, _ time.Duration, events []event.Event) error {
	time.Sleep(time.Millisecond)
	announce(events)
	return nil
}

// announce writes the ids with one call, of which a reader sees all or nothing.
func announce(events []event.Event) {
	var lines []byte
	for i := range events {
		lines = fmt.Appendln(lines, events[i].ID)
	}
	_, _ = os.Stdout.Write(lines)
}

// startChild starts this binary to do a part in dir.
func startChild(t *testing.T, part, dir string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childPart+"="+part, childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	return cmd, out
}

// killedAfter runs a part until it has announced n ids, and a little longer, and
// kills it. It returns the ids.
func killedAfter(t *testing.T, part, dir string, n int) []uuid.UUID {
	t.Helper()
	cmd, out := startChild(t, part, dir)
	var mu sync.Mutex
	var announced []uuid.UUID
	enough := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			id, err := uuid.Parse(lines.Text())
			if err != nil {
				continue // cut off
			}
			mu.Lock()
			if announced = append(announced, id); len(announced) == n {
				close(enough)
			}
			mu.Unlock()
		}
	}()
	select {
	case <-enough:
	case <-done:
	case <-time.After(30 * time.Second):
	}
	pause := time.NewTimer(rand.N(3 * time.Millisecond))
	<-pause.C
	require.NoError(t, cmd.Process.Kill())
	<-done
	require.Error(t, cmd.Wait())
	require.GreaterOrEqual(t, len(announced), n)
	return announced
}

// Whatever was acknowledged when a process is killed is there afterwards, in
// order and unaltered.
func TestSpool_KilledWhileSpooling(t *testing.T) {
	dir := t.TempDir()
	acked := map[uuid.UUID]bool{}
	const rounds = 8
	for round := range rounds {
		for _, id := range killedAfter(t, "publish", dir, 50+100*round) {
			acked[id] = true
		}
	}
	f := start(t, quick(dir), newStream(accepts))
	backlog, _ := f.Backlog()
	require.GreaterOrEqual(t, backlog, int64(len(acked)))
	f.run(t)
	f.drained(t)
	for id := range acked {
		e, ok := f.stream.last[id]
		require.True(t, ok, "%s was acknowledged and is lost", id)
		require.Contains(t, e.Payload, id.String())
	}
	t.Logf("%d events acknowledged in %d lives, %d found, %v torn writes", len(acked), rounds,
		len(f.stream.accepted()), f.metric(t, "corrupt_records_total", "kind", string(journal.CorruptTorn)))
	require.NotContains(t, f.logs.String(), "ERROR")
}

// What a process that is killed had drained, and what is left, is everything.
func TestSpool_KilledWhileDraining(t *testing.T) {
	cfg := quick(t.TempDir())
	f, sent := startAway(t, cfg, withSegments(64<<10))
	for len(sent) < 6000 {
		events := makeEvents(100)
		f.mustPublish(t, events)
		sent = append(sent, events...)
	}
	f.stop()
	seen := map[uuid.UUID]int{}
	for range 5 {
		for _, id := range killedAfter(t, "drain", cfg.Dir, 700) {
			seen[id]++
		}
	}
	require.Less(t, len(seen), len(sent), "there is something left")
	f = start(t, cfg, newStream(accepts))
	f.run(t)
	f.drained(t)
	for _, id := range f.stream.accepted() {
		seen[id]++
	}
	twice := 0
	for _, e := range sent {
		require.Positive(t, seen[e.ID], "%s was acknowledged and is lost", e.ID)
		if seen[e.ID] > 1 {
			twice++
		}
	}
	require.Len(t, seen, len(sent))
	require.LessOrEqual(t, twice, 5*20)
	t.Logf("%d events drained in six lives, %d of them twice", len(sent), twice)
	require.NotContains(t, f.logs.String(), "ERROR")
}

func TestOpen_OneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	f := start(t, quick(dir), newStream(accepts))
	try := func() string {
		cmd, out := startChild(t, "open", dir)
		var b bytes.Buffer
		_, err := io.Copy(&b, out)
		require.NoError(t, err)
		_ = cmd.Wait()
		return b.String()
	}
	out := try()
	require.True(t, strings.HasPrefix(out, "error: open spool: "), out)
	require.Contains(t, out, fmt.Sprintf("in use by another process (pid %d)", os.Getpid()))
	f.stop()
	require.Equal(t, "opened\n", try())
}
