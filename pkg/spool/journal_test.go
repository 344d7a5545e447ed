package spool

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// away opens a spool whose stream refuses, with the breaker open.
func away(t testing.TB, cfg Config, options ...rigOption) (*rig, []event.Event) {
	t.Helper()
	r := start(t, cfg, newStream(refuses), options...)
	var sent []event.Event
	for range failuresToOpen {
		events := makeEvents(1)
		r.publish(t, events)
		sent = append(sent, events...)
	}
	return r, sent
}

func segments(t testing.TB, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	require.NoError(t, err)
	return found
}

func TestDrainKeepsOrderAcrossSegmentsAndRestarts(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.DrainBatch = 7
	var sent []event.Event
	for range 3 {
		r, events := away(t, cfg, withSegments(4<<10))
		sent = append(sent, events...)
		for range 40 {
			events := makeEvents(3)
			r.publish(t, events)
			sent = append(sent, events...)
		}
		r.stop()
	}
	require.Greater(t, len(segments(t, cfg.Dir)), 9)

	r := start(t, cfg, newStream(takes), withSegments(4<<10))
	backlog, bytes := r.Backlog()
	require.EqualValues(t, len(sent), backlog)
	require.Positive(t, bytes)
	require.Contains(t, r.logs.String(), "holds events from before")
	stop := r.run(t)
	r.drained(t)
	require.Equal(t, ids(sent), r.stream.taken())
	for _, e := range sent {
		require.Equal(t, e, r.stream.last[e.ID])
		require.Equal(t, 1, r.stream.times[e.ID])
	}
	require.LessOrEqual(t, r.stream.most, cfg.DrainBatch)
	stop()
	r.stop()
	require.Empty(t, segments(t, cfg.Dir))

	r = start(t, cfg, newStream(takes))
	backlog, bytes = r.Backlog()
	require.Zero(t, backlog)
	require.Zero(t, bytes)
	require.NotContains(t, r.logs.String(), "ERROR")
}

func TestDrainGoesOnWhereItStopped(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.DrainBatch = 10
	r, sent := away(t, cfg)
	for range 97 {
		events := makeEvents(1)
		r.publish(t, events)
		sent = append(sent, events...)
	}
	r.stop()

	// The stream takes some and goes away again.
	s := newStream(takes)
	r = start(t, cfg, s)
	_, err := r.reader.fill(10)
	require.NoError(t, err)
	d := &drainer{Spool: r.Spool, most: 10, size: 10}
	for range 4 {
		d.step(context.Background())
	}
	s.set(loses)
	d.step(context.Background())
	backlog, _ := r.Backlog()
	require.EqualValues(t, 60, backlog)
	r.stop()

	r = start(t, cfg, s)
	backlog, _ = r.Backlog()
	require.EqualValues(t, 60, backlog)
	s.set(takes)
	r.run(t)
	r.drained(t)
	require.Equal(t, ids(sent), s.taken())
	for i, e := range sent {
		if want := 1; i < 40 || i >= 50 {
			require.Equal(t, want, s.times[e.ID], i)
		}
	}
	require.NotContains(t, r.logs.String(), "ERROR")
}

func TestDrainWhilePublishing(t *testing.T) {
	s := newStream(refuses)
	cfg := quick(t.TempDir())
	r := start(t, cfg, s, withSegments(16<<10))
	r.run(t)
	var (
		mu      sync.Mutex
		sent    []uuid.UUID
		clients sync.WaitGroup
	)
	quit := make(chan struct{})
	for range 8 {
		clients.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				events := makeEvents(4)
				if r.Publish(context.Background(), events) == nil {
					mu.Lock()
					sent = append(sent, ids(events)...)
					mu.Unlock()
				}
			}
		})
	}
	for _, mode := range []behaviour{takes, loses, takes, hangs, takes, refuses, takes} {
		s.set(mode)
		before := r.metric(t, "spooled_events_total") + float64(len(s.taken()))
		eventually(t, "events come in", func() bool {
			return r.metric(t, "spooled_events_total")+float64(len(s.taken())) > before+200
		})
	}
	close(quit)
	clients.Wait()
	r.drained(t)
	taken := map[uuid.UUID]bool{}
	for _, id := range s.taken() {
		taken[id] = true
	}
	for _, id := range sent {
		require.True(t, taken[id], "%s was lost", id)
	}
	require.NotContains(t, r.logs.String(), "ERROR")
}

// An event that the stream will never take does not hold up the others.
func TestDrainSetsAsideWhatIsRefused(t *testing.T) {
	cfg := quick(t.TempDir())
	r, sent := away(t, cfg)
	events := makeEvents(50)
	r.publish(t, events)
	sent = append(sent, events...)
	bad := events[20].ID
	r.stream.picky = map[uuid.UUID]bool{bad: true}
	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	require.Len(t, r.stream.taken(), len(sent)-1)
	require.EqualValues(t, 1, r.metric(t, "corrupt_records_total", "kind", kindRefused))
	require.EqualValues(t, len(sent)-1, r.metric(t, "drained_events_total"))
	requireSetAside(t, cfg.Dir, bad.String())
}

// requireSetAside requires that a file set aside contains text.
func requireSetAside(t *testing.T, dir, text string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, corruptDir, "*"))
	require.NoError(t, err)
	for _, path := range found {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		if strings.Contains(string(b), text) {
			return
		}
	}
	t.Fatalf("%q is in none of %v", text, found)
}

// A stream that answers, but too late for requests, is drained to all the same.
func TestDrainToASlowStream(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.Deadline = 2 * time.Millisecond
	cfg.DrainTimeout = 10 * time.Second
	r, _ := away(t, cfg)
	for range 10 {
		r.publish(t, makeEvents(30))
	}
	r.stream.delay.Store(int64(6 * time.Millisecond))
	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	require.NotEqual(t, breakerClosed, r.breaker.state(), "requests keep away from it")
	require.Greater(t, r.stream.most, 1)

	r.stream.delay.Store(0)
	r.publish(t, makeEvents(1))
	eventually(t, "the breaker closes", func() bool {
		if r.breaker.state() == breakerClosed {
			return true
		}
		r.publish(t, makeEvents(1))
		return false
	})
}

func TestSpaceIsGivenBack(t *testing.T) {
	cfg := quick(t.TempDir())
	r, _ := away(t, cfg, withSegments(16<<10))
	for range 30 {
		r.publish(t, makeEvents(20))
	}
	require.Greater(t, len(segments(t, cfg.Dir)), 5)
	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	eventually(t, "an empty segment is left", func() bool {
		files := segments(t, cfg.Dir)
		if len(files) != 1 {
			return false
		}
		b, err := os.ReadFile(files[0])
		return err == nil && len(b) <= 16<<10 && len(bytes.Trim(b, "\x00")) < 8<<10
	})

	// And is used again.
	r.stream.set(refuses)
	for range failuresToOpen {
		r.publish(t, makeEvents(1))
	}
	require.Len(t, segments(t, cfg.Dir), 1)
	r.stream.set(takes)
	r.drained(t)
	r.stop()
}

func TestMaxBytes(t *testing.T) {
	cfg := quick(t.TempDir())
	cfg.MaxBytes = leastBytes
	r, sent := away(t, cfg)
	var err error
	for err == nil {
		events := makeEvents(10)
		if err = r.Publish(context.Background(), events); err == nil {
			sent = append(sent, events...)
		}
	}
	e := requireUnavailable(t, err)
	require.ErrorContains(t, e, "full")
	require.EqualValues(t, 1, r.metric(t, "full"))
	require.EqualValues(t, 10, r.metric(t, "refused_events_total", "reason", reasonFull))
	_, bytes := r.Backlog()
	require.LessOrEqual(t, bytes, cfg.MaxBytes)
	require.Greater(t, bytes, cfg.MaxBytes*8/10)
	require.Contains(t, r.logs.String(), "the spool is full")
	for err = nil; err == nil; {
		events := makeEvents(1)
		if err = r.Publish(context.Background(), events); err == nil {
			sent = append(sent, events...)
		}
	}
	requireUnavailable(t, r.Check(context.Background()))

	r.stream.set(takes)
	r.run(t)
	r.drained(t)
	require.Equal(t, ids(sent), r.stream.taken()[:len(sent)])
	require.NoError(t, r.Check(context.Background()))
	r.stream.set(refuses)
	eventually(t, "there is room", func() bool { return r.Publish(context.Background(), makeEvents(1)) == nil })
	r.stream.set(takes)
	r.drained(t)
}

func TestMinFreeBytes(t *testing.T) {
	fs := &spaceFiles{free: 100 << 20, total: 1 << 30}
	cfg := quick(t.TempDir())
	cfg.MinFreeBytes = 90 << 20
	r, _ := away(t, cfg, withFiles(fs))
	fs.set(90<<20, 1<<30)
	requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
	requireUnavailable(t, r.Check(context.Background()))
	// Of a small disk a tenth is enough.
	fs.set(4<<20, 24<<20)
	r.publish(t, makeEvents(1))
	require.NoError(t, r.Check(context.Background()))
	fs.set(2<<20, 24<<20)
	requireUnavailable(t, r.Publish(context.Background(), makeEvents(1)))
	// A disk that does not say is believed to have room.
	fs.set(-1, -1)
	r.publish(t, makeEvents(1))
}

// spaceFiles is a disk of a size that can be changed, on which no room can be
// reserved.
type spaceFiles struct {
	disk
	mu          sync.Mutex
	free, total int64
}

func (f *spaceFiles) set(free, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free, f.total = free, total
}

func (f *spaceFiles) create(path string) (file, error) {
	inner, err := f.disk.create(path)
	return growing{inner}, err
}

type growing struct{ file }

func (growing) Reserve(int64) error { return errors.ErrUnsupported }

func (f *spaceFiles) space(string) (int64, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.free, f.total, nil
}

func TestOpenRefuses(t *testing.T) {
	l := &logs{}
	_, err := Open(Config{}, newStream(takes), l.logger(), nil)
	for _, key := range []string{"max_bytes", "deadline", "commit_timeout", "probe_interval", "drain_timeout", "drain_batch"} {
		require.ErrorContains(t, err, "spool."+key)
	}
	require.NoError(t, DefaultConfig().Validate())
	_, err = Open(DefaultConfig(), newStream(takes), l.logger(), nil)
	require.ErrorContains(t, err, "spool.dir")

	cfg := quick(t.TempDir())
	r := start(t, cfg, newStream(takes))
	began := time.Now()
	_, err = Open(cfg, newStream(takes), l.logger(), nil)
	require.ErrorContains(t, err, "in use by another process (pid ")
	require.Less(t, time.Since(began), time.Second)
	other := quick(t.TempDir())
	_, err = Open(other, newStream(takes), l.logger(), r.reg)
	require.ErrorContains(t, err, "registry")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(quick(file), newStream(takes), l.logger(), nil)
	require.Error(t, err)
}
