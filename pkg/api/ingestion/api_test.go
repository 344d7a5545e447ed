package ingestion_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/api/ingestion"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/httpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout bounds every wait of the tests.
const timeout = 10 * time.Second

// fakeService keeps what it accepts, unless it fails.
type fakeService struct {
	err error

	mu       sync.Mutex
	events   []event.Event
	rejected []error
}

func (f *fakeService) Accept(ctx context.Context, events []event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.events = append(f.events, events...)
	return ctx.Err()
}

func (f *fakeService) Rejected(err error, _ int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rejected = append(f.rejected, err)
}

func pong(context.Context) error { return nil }

// serve returns the URL of a server with the API on it.
func serve(tb testing.TB, service ingestion.Service, check func(context.Context) error) string {
	tb.Helper()
	return serveChecked(tb, service, check, check)
}

// serveChecked is serve with both checks of the health route.
func serveChecked(tb testing.TB, service ingestion.Service, accepting, ping func(context.Context) error) string {
	tb.Helper()
	cfg := httpserver.DefaultConfig()
	cfg.Addr, cfg.DrainDelay = "127.0.0.1:0", 0
	s, err := httpserver.New(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(tb, err)
	ingestion.New(service, event.DefaultLimits(), accepting, ping).Mount(s)
	require.NoError(tb, s.Listen())
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	tb.Cleanup(func() {
		stop()
		require.NoError(tb, <-served)
	})
	return "http://" + s.Addr() + "/api/v1/events"
}

type answer struct {
	*http.Response
	body string
}

func do(tb testing.TB, method, url, body string) answer {
	tb.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(tb, err)
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: timeout}).Do(req)
	require.NoError(tb, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(tb, err)
	return answer{res, string(text)}
}

const (
	id   = "0190f5f4-7a1e-7c3a-8b1d-2f6f0c9d4e11"
	body = `{"event_id":"` + id + `","event_type":"push","source":"here","timestamp":"2024-05-01T12:00:00Z"}`
)

func TestOne_AnswersWithTheID(t *testing.T) {
	service := &fakeService{}
	a := do(t, "POST", serve(t, service, pong), body)
	require.Equal(t, http.StatusAccepted, a.StatusCode)
	require.Equal(t, "application/json", a.Header.Get("Content-Type"))
	require.EqualValues(t, len(a.body), a.ContentLength)
	require.JSONEq(t, `{"status":"accepted","event_id":"`+id+`"}`, a.body)
	require.Len(t, service.events, 1)
	require.Equal(t, id, service.events[0].ID.String())
}

func TestBatch_AnswersWithTheIDsInOrder(t *testing.T) {
	service := &fakeService{}
	const others = 999
	other := strings.Replace(body, `"event_id":"`+id+`",`, "", 1)
	a := do(t, "POST", serve(t, service, pong)+"/batch", "["+body+strings.Repeat(","+other, others)+"]")
	require.Equal(t, http.StatusAccepted, a.StatusCode)
	require.EqualValues(t, len(a.body), a.ContentLength)
	var got struct {
		Status   string      `json:"status"`
		Count    int         `json:"count"`
		EventIDs []uuid.UUID `json:"event_ids"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &got))
	require.Equal(t, "accepted", got.Status)
	require.Equal(t, others+1, got.Count)
	require.Len(t, service.events, others+1)
	for i, e := range service.events {
		require.Equal(t, e.ID, got.EventIDs[i])
	}
	require.Equal(t, id, got.EventIDs[0].String())
}

func TestInvalidBodies_AreRejectedWhole(t *testing.T) {
	service := &fakeService{}
	url := serve(t, service, pong)
	for _, test := range []struct {
		path, body string
		status     int
		pointer    string
	}{
		{"", "", 400, `"pointer":""`},
		{"", "{}", 400, `"pointer":"/event_type"`},
		{"/batch", "[" + body + ",{}]", 400, `"pointer":"/1/event_type"`},
		{"/batch", "[" + strings.Repeat("{},", 1000) + "{}]", 413, `"pointer":""`},
	} {
		a := do(t, "POST", url+test.path, test.body)
		require.Equal(t, test.status, a.StatusCode, a.body)
		require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"))
		require.Contains(t, a.body, test.pointer)
	}
	require.Empty(t, service.events)
	require.Len(t, service.rejected, 4)
}

func TestServiceErrors_AreAnsweredByTheirKind(t *testing.T) {
	service := &fakeService{err: &event.Error{Kind: event.KindUnavailable, Detail: "full", RetryAfter: 7 * time.Second}}
	url := serve(t, service, pong)
	for path, text := range map[string]string{"": body, "/batch": "[" + body + "]"} {
		a := do(t, "POST", url+path, text)
		require.Equal(t, http.StatusServiceUnavailable, a.StatusCode)
		require.Equal(t, "7", a.Header.Get("Retry-After"))
		require.NotContains(t, a.body, "accepted")
	}
}

func TestHealth_SaysWhetherEventsAreAccepted(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	refused := func(context.Context) error { return event.Unavailable("the spool is full", nil) }
	accepted := func(context.Context) error { return nil }
	loading := func(context.Context) error {
		return event.Unavailable("Redis is loading", errors.New("dial 10.0.0.1"))
	}
	for name, row := range map[string]struct {
		accepting, ping func(context.Context) error
		status          int
		body            string
	}{
		"well":                           {accepted, pong, 200, `{"status":"ok","redis":"PONG"}`},
		"Redis is away, events spooled":  {accepted, loading, 200, `{"status":"ok","redis":"Redis is loading"}`},
		"Redis is away, nothing spooled": {refused, loading, 503, `{"status":"error","redis":"Redis is loading"}`},
		"Redis answers PING only":        {refused, pong, 503, `{"status":"error","redis":"PONG"}`},
		"no address is told":             {refused, func(context.Context) error { return errors.New("dial 10.0.0.1") }, 503, `{"status":"error","redis":"unreachable"}`},
		"PING panics":                    {accepted, func(context.Context) error { panic("ouch") }, 200, `{"status":"ok","redis":"unreachable"}`},
		"PING times out":                 {refused, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 503, `{"status":"error","redis":"no answer within 1s"}`},
		"PING hangs":                     {accepted, func(context.Context) error { <-hang; return nil }, 200, `{"status":"ok","redis":"no answer within 1s"}`},
	} {
		t.Run(name, func(t *testing.T) {
			url := serveChecked(t, &fakeService{}, row.accepting, row.ping) + "/health"
			a := do(t, "GET", url, "")
			require.Equal(t, row.status, a.StatusCode)
			require.JSONEq(t, row.body, a.body)
			require.Equal(t, "application/json", a.Header.Get("Content-Type"))
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			head := do(t, "HEAD", url, "")
			require.Equal(t, row.status, head.StatusCode)
			require.Empty(t, head.body)
			require.EqualValues(t, len(a.body), head.ContentLength)
		})
	}
}
