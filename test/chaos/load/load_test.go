package load

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// fakeAPI answers as the contract says, or as answer does.
type fakeAPI struct {
	events   atomic.Int64
	override atomic.Pointer[http.HandlerFunc]
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.override.Load(); h != nil {
		(*h)(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	batch := strings.HasSuffix(r.URL.Path, "/batch")
	var events []event.Event
	var err error
	if batch {
		events, err = native.ParseBatch(string(body), event.DefaultLimits())
	} else {
		events = make([]event.Event, 1)
		events[0], err = native.Parse(string(body), event.DefaultLimits())
	}
	if err != nil {
		problem(w, http.StatusBadRequest, nil)
		return
	}
	f.events.Add(int64(len(events)))
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	w.WriteHeader(http.StatusAccepted)
	answer := map[string]any{"status": "accepted", "event_id": ids[0]}
	if batch {
		answer = map[string]any{"status": "accepted", "count": len(ids), "event_ids": ids}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func problem(w http.ResponseWriter, status int, header map[string]string) {
	w.Header().Set("Content-Type", "application/problem+json")
	for k, v := range header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"title":"no"}`))
}

// silent takes the request and never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the server would not see the client go
	<-r.Context().Done()
}

func newTestLoad(t *testing.T, change ...func(*Config)) (*fakeAPI, *Generator, *SentLog) {
	t.Helper()
	api := &fakeAPI{}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	cfg := DefaultConfig()
	for _, f := range change {
		f(&cfg)
	}
	sent := NewSentLog(Maker{Seed: 1, Minted: 0.4})
	client := NewClient(server.URL)
	t.Cleanup(client.Close)
	return api, NewGenerator(cfg, sent, client), sent
}

func runFor(t *testing.T, l *Generator, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	l.Run(ctx)
}

func TestLoadKeepsItsRateAndItsBooks(t *testing.T) {
	api, load, sent := newTestLoad(t, func(c *Config) { c.Rate, c.Invalid, c.Again = 1000, 0.1, 0.2 })
	runFor(t, load, time.Second)

	s := Summarize(load.Shots(), Span{0, time.Hour})
	require.Positive(t, s.Sent())
	ahead := DefaultConfig().MaxBatch // the last request may be a batch
	require.LessOrEqual(t, s.Sent(), int(1000*load.Now().Seconds())+ahead, "it never runs ahead of its rate")
	require.Empty(t, load.Faults().First)
	require.Zero(t, load.Skipped())
	require.EqualValues(t, api.events.Load(), s.Valid[Accepted])
	require.InDelta(t, 1, s.Share(), 0)
	require.Positive(t, s.Invalid[Rejected])
	require.Equal(t, s.Invalid[Rejected], s.Sent()-s.SentValid())
	require.Positive(t, s.P50)
	require.LessOrEqual(t, s.P99, s.Max)

	entries := sent.Entries()
	require.Less(t, len(entries), s.Sent(), "some were posted again")
	accepted := 0
	for n, e := range entries {
		require.NotEqual(t, e.Invalid, e.Had(Accepted), n)
		require.Equal(t, e.Invalid, e.Had(Rejected), n)
		if e.Had(Accepted) {
			accepted++
			require.NotEqual(t, uuid.Nil, e.ID)
			require.Equal(t, e.Own, sent.Maker.Make(uint32(n)).ID == e.ID)
		}
	}
	require.Positive(t, accepted)
}

func TestLoadTellsOutcomesApart(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		outcome Outcome
		fault   string
	}{
		"busy": {func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 503, map[string]string{"Retry-After": "1"})
		}, Busy, ""},
		"busy without a time": {func(w http.ResponseWriter, _ *http.Request) { problem(w, 503, nil) }, Busy, "Retry-After"},
		"refused":             {func(w http.ResponseWriter, _ *http.Request) { problem(w, 400, nil) }, Rejected, "a valid event"},
		"plain text":          {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 400) }, Rejected, "no problem document"},
		"broken inside":       {func(w http.ResponseWriter, _ *http.Request) { problem(w, 500, nil) }, Unclear, "answered 500"},
		"cut":                 {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Unclear, ""},
		"silent":              {silent, Unclear, ""},
		"another id": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(202)
			_, _ = w.Write([]byte(`{"status":"accepted","event_id":"` + uuid.NewString() + `"}`))
		}, Accepted, ""}, // its fault depends on the event
		"no id": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, Accepted, "202 with"},
	} {
		t.Run(name, func(t *testing.T) {
			api, load, _ := newTestLoad(t, func(c *Config) {
				if name == "silent" {
					c.Timeout = 200 * time.Millisecond
				}
			})
			api.override.Store(&c.handler)
			_, outcome := load.Post(t.Context())
			require.Equal(t, c.outcome, outcome)
			faults := load.Faults()
			switch {
			case c.fault != "":
				require.Positive(t, faults.Count)
				require.Contains(t, strings.Join(faults.First, "\n"), c.fault)
			case name == "another id":
				require.Equal(t, 1, faults.Count)
			default:
				require.Empty(t, faults.First)
			}
		})
	}
}

func TestInvalidAcceptedIsAFault(t *testing.T) {
	api, load, _ := newTestLoad(t)
	var takeAll http.HandlerFunc = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(202)
		id, _ := uuid.NewV7()
		_, _ = w.Write([]byte(`{"status":"accepted","event_id":"` + id.String() + `"}`))
	}
	api.override.Store(&takeAll)
	load.post(t.Context(), plan{size: 1, broken: 0})
	require.Contains(t, strings.Join(load.Faults().First, "\n"), "an invalid event (breakage 0) was accepted")
}

func TestNobodyListening(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client := NewClient(server.URL)
	sent := NewSentLog(Maker{})
	load := NewGenerator(DefaultConfig(), sent, client)
	_, outcome := load.Post(t.Context())
	require.Equal(t, Unsent, outcome)
	require.True(t, sent.Entries()[0].Had(Unsent))
	require.False(t, sent.Entries()[0].Had(Unclear))
}

func TestLoadSkipsRatherThanPilesUp(t *testing.T) {
	api, load, _ := newTestLoad(t, func(c *Config) { c.Rate, c.MaxInFlight, c.Timeout = 1000, 4, time.Minute })
	release := make(chan struct{})
	var handler http.HandlerFunc = func(http.ResponseWriter, *http.Request) {
		<-release
		panic(http.ErrAbortHandler)
	}
	api.override.Store(&handler)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		load.Run(ctx)
	}()
	require.Eventually(t, func() bool { return load.Skipped() > 0 }, time.Minute, time.Millisecond)
	cancel()
	close(release)
	<-done
	require.Len(t, load.Shots(), 4)
}

func TestSummaryLeavesDeafTimesOut(t *testing.T) {
	shots := []Shot{
		{At: 0, Took: time.Millisecond, Events: 1},
		{At: time.Second, Took: 5 * time.Second, Events: 2, Outcome: Unclear},
		{At: 2 * time.Second, Took: 2 * time.Millisecond, Events: 1},
		{At: 7 * time.Second, Took: 3 * time.Millisecond, Events: 1, Outcome: Unsent},
		{At: 8 * time.Second, Took: 4 * time.Millisecond, Events: 1},
	}
	all := Summarize(shots, Span{0, time.Minute})
	require.Equal(t, 5*time.Second, all.Max)
	require.Equal(t, 6, all.Sent())
	require.InDelta(t, 0.5, all.Share(), 0)

	deaf := Summarize(shots, Span{0, time.Minute}, Span{1500 * time.Millisecond, 4 * time.Second})
	require.Equal(t, 4*time.Millisecond, deaf.Max)
	require.Equal(t, 2, deaf.Requests)
	require.Equal(t, 6, deaf.Sent(), "they count all the same")

	late := Summarize(shots, Span{6 * time.Second, time.Minute})
	require.Equal(t, 2, late.Sent())
}
