package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout bounds every wait of the tests.
const timeout = 10 * time.Second

// fake takes bodies as an API would: it does what its function does, and
// accepts without one. It remembers the bodies it was given.
type fake struct {
	accept func(ctx context.Context, body string) error

	mu     sync.Mutex
	bodies []string
}

func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.bodies...)
}

var accepted = []byte(`{"status":"accepted"}` + "\n")

// post reads a body, does what it should with it and answers 202.
func (f *fake) post(w http.ResponseWriter, r *http.Request) error {
	if err := RequireJSON(r); err != nil {
		return err
	}
	body, err := ReadBody(w, r)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.bodies = append(f.bodies, strings.Clone(body))
	f.mu.Unlock()
	if f.accept != nil {
		if err := f.accept(r.Context(), body); err != nil {
			return err
		}
	}
	WriteJSON(w, http.StatusAccepted, accepted)
	return nil
}

func (f *fake) mount(s *Server) {
	s.Mount("POST /api/v1/events", HandlerFunc(f.post), IgnoreHangup())
	s.Mount("POST /api/v1/events/batch", HandlerFunc(f.post))
	s.Mount("GET /api/v1/events/health", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, []byte("{}"))
	}))
}

// lockedBuffer is a log that a test can read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// testServer is a server that serves.
type testServer struct {
	*Server
	fake *fake
	log  *lockedBuffer
	reg  *prometheus.Registry
	stop context.CancelFunc
	done chan error
}

// shortTimeouts makes a server soon give up on what is slow to arrive.
func shortTimeouts(c *Config) {
	c.ReadHeaderTimeout, c.ReadTimeout = 300*time.Millisecond, 600*time.Millisecond
}

// testConfig is the default with small limits and no delays.
func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.MaxBodyBytes = 64 << 10
	cfg.MaxInFlightBytes = 1 << 20
	cfg.MaxHeaderBytes = 8 << 10
	cfg.DrainDelay = 0
	cfg.ShutdownTimeout = timeout
	return cfg
}

func start(tb testing.TB, f *fake, adjust ...func(*Config)) *testServer {
	tb.Helper()
	return startWith(tb, f.mount, f, adjust...)
}

// startMounted serves what mount mounts.
func startMounted(tb testing.TB, mount func(*Server), adjust ...func(*Config)) *testServer {
	tb.Helper()
	return startWith(tb, mount, &fake{}, adjust...)
}

func startWith(tb testing.TB, mount func(*Server), f *fake, adjust ...func(*Config)) *testServer {
	tb.Helper()
	cfg := testConfig()
	for _, a := range adjust {
		a(&cfg)
	}
	r := &testServer{fake: f, log: &lockedBuffer{}, reg: prometheus.NewRegistry(), done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	r.Server, err = New(cfg, log, r.reg)
	require.NoError(tb, err)
	mount(r.Server)
	require.NoError(tb, r.Listen())
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() { r.done <- r.Serve(ctx) }()
	tb.Cleanup(func() {
		r.stop()
		select {
		case err := <-r.done:
			require.NoError(tb, err)
		case <-time.After(timeout):
			tb.Error("the server did not end")
		}
	})
	return r
}

// ended stops the server and returns what Serve returned.
func (r *testServer) ended() error {
	r.stop()
	err := <-r.done
	r.done <- nil // for the clean-up
	return err
}

func (r *testServer) url(path string) string { return "http://" + r.Addr() + path }

// peer is the other end of a connection, by hand.
type peer struct {
	tb testing.TB
	*net.TCPConn
	r *bufio.Reader
}

func (r *testServer) dial(tb testing.TB) *peer {
	tb.Helper()
	nc, err := net.Dial("tcp", r.Addr())
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = nc.Close() })
	require.NoError(tb, nc.SetDeadline(time.Now().Add(timeout)))
	return &peer{tb: tb, TCPConn: nc.(*net.TCPConn), r: bufio.NewReader(nc)}
}

func (p *peer) send(s string) {
	p.tb.Helper()
	_, err := io.WriteString(p.TCPConn, s)
	require.NoError(p.tb, err)
}

// answer is one answer, read whole.
type answer struct {
	*http.Response
	body string
}

func (p *peer) answer(method string) answer {
	p.tb.Helper()
	res, err := http.ReadResponse(p.r, &http.Request{Method: method})
	require.NoError(p.tb, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(p.tb, err)
	require.NoError(p.tb, res.Body.Close())
	return answer{res, string(body)}
}

// requireClosed waits for the end of the connection, which must not be a
// reset.
func (p *peer) requireClosed() {
	p.tb.Helper()
	rest, err := io.ReadAll(p.r)
	require.NoError(p.tb, err)
	require.Empty(p.tb, string(rest))
}

// problem is a problem document.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
	Errors    []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
	More int `json:"more"`
}

// requireProblem checks that a is a problem document with the given status.
func requireProblem(tb testing.TB, a answer, status int) problem {
	tb.Helper()
	require.Equal(tb, status, a.StatusCode, a.body)
	require.Equal(tb, "application/problem+json", a.Header.Get("Content-Type"))
	require.EqualValues(tb, len(a.body), a.ContentLength)
	var p problem
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	require.NoError(tb, dec.Decode(&p), a.body)
	require.Equal(tb, status, p.Status)
	require.Equal(tb, http.StatusText(status), p.Title)
	require.Equal(tb, "about:blank", p.Type)
	require.NotEmpty(tb, p.Detail)
	require.NotEmpty(tb, p.RequestID)
	require.Equal(tb, p.RequestID, a.Header.Get("X-Request-ID"))
	return p
}

// do sends one request with an ordinary client on a connection of its own.
func (r *testServer) do(tb testing.TB, method, path string, body io.Reader, headers ...string) answer {
	tb.Helper()
	req, err := http.NewRequest(method, r.url(path), body)
	require.NoError(tb, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: timeout}).Do(req)
	require.NoError(tb, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(tb, err)
	return answer{res, string(text)}
}

// eventually polls until ok, within timeout.
func eventually(tb testing.TB, ok func() bool, what string) {
	tb.Helper()
	require.Eventually(tb, ok, timeout, 5*time.Millisecond, what)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

func valueOf(tb testing.TB, m prometheus.Metric) float64 {
	tb.Helper()
	var out dto.Metric
	require.NoError(tb, m.Write(&out))
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
