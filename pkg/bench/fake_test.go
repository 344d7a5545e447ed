package bench

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an EventPulse: a server at the other end of pipes, so that tests run
// on a clock of their own, and the database behind it.
type fake struct {
	t *testing.T
	// answer says what a request gets, by its number from 0: it may wait. A
	// status of 0 closes the connection. The default accepts.
	answer func(n int, batch bool) int
	// keep says whether an accepted event is stored, and alters it.
	keep func(*event.Event) bool
	// refuse says whether a connection cannot be made.
	refuse func() bool

	mu       sync.Mutex
	requests int
	stored   map[uuid.UUID]event.Event
	heads    []*http.Request
	serving  sync.WaitGroup
}

func newFake(t *testing.T) *fake {
	return &fake{
		t: t, stored: map[uuid.UUID]event.Event{},
		answer: func(int, bool) int { return http.StatusAccepted },
		keep:   func(*event.Event) bool { return true },
		refuse: func() bool { return false },
	}
}

func (f *fake) dial(context.Context) (net.Conn, error) {
	if f.refuse() {
		return nil, &net.OpError{Op: "dial", Err: io.ErrClosedPipe}
	}
	client, server := net.Pipe()
	f.serving.Go(func() { f.serve(server) })
	return client, nil
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		f.mu.Lock()
		n := f.requests
		f.requests++
		f.heads = append(f.heads, r)
		f.mu.Unlock()
		batch := r.URL.Path == "/base/api/v1/events/batch"
		status := f.answer(n, batch)
		if status == 0 {
			return
		}
		if status == http.StatusAccepted {
			f.store(string(body), batch)
		}
		response := &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, ContentLength: 3, Header: http.Header{},
			Body: io.NopCloser(&three{}),
		}
		if n%3 == 1 { // in the other framing
			response.ContentLength, response.TransferEncoding = -1, []string{"chunked"}
		}
		if response.Write(conn) != nil {
			return
		}
	}
}

// three is a body of three bytes.
type three struct{ done bool }

func (b *three) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	b.done = true
	return copy(p, "why"), nil
}

func (f *fake) store(body string, batch bool) {
	var events []event.Event
	var err error
	if batch {
		events, err = native.ParseBatch(body, event.DefaultLimits())
	} else {
		events = make([]event.Event, 1)
		events[0], err = native.Parse(body, event.DefaultLimits())
	}
	require.NoError(f.t, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		if f.keep(&e) {
			f.stored[e.ID] = e
		}
	}
}

// Find implements Database.
func (f *fake) Find(_ context.Context, ids []uuid.UUID) ([]event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []event.Event
	for _, id := range ids {
		if e, ok := f.stored[id]; ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// run runs a benchmark against the fake.
func (f *fake) run(ctx context.Context, change func(*Options), db Database) *Report {
	f.t.Helper()
	o := DefaultOptions()
	o.URL = "http://fake:80/base/"
	o.Duration = 10 * time.Second
	o.Connections = 2
	change(&o)
	require.NoError(f.t, o.Validate())
	target, err := parseTarget(o.URL, o.Batch > 1)
	require.NoError(f.t, err)
	report, err := newRun(o, f.dial, target, db, nil).run(ctx)
	require.NoError(f.t, err)
	f.serving.Wait()
	return report
}
