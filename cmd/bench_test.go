package cmd

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/app"
	"github.com/eventpulse/eventpulse/pkg/bench"
	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/servers"
)

// quietLog is for what a test runs beside the command.
func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// during runs a role until the test ends.
func during(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	var err error
	running.Go(func() { err = run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		require.NoError(t, err)
	})
}

// deployed is a serve and a work on real servers.
func deployed(t *testing.T) (url, database string) {
	t.Helper()
	redis := servers.Redis(t)
	database = servers.Postgres(t).URL()
	code, _, errs := eventpulse(t, "", "migrate", "up", "--database.url", database)
	require.Equal(t, exitOK, code, errs)

	c := config.Default(config.Serve)
	c.Redis.URL, c.HTTP.Addr, c.Admin.Addr, c.HTTP.DrainDelay = redis.URL(), "127.0.0.1:0", "127.0.0.1:0", 0
	c.Spool.Dir = t.TempDir() // so that a slow machine refuses nothing
	serve, err := app.NewServe(c, quietLog())
	require.NoError(t, err)
	during(t, serve.Run)

	c = config.Default(config.Work)
	c.Redis.URL, c.Database.URL, c.Admin.Addr, c.Worker.Block = redis.URL(), database, "127.0.0.1:0", 200*time.Millisecond
	work, err := app.NewWork(c, quietLog())
	require.NoError(t, err)
	during(t, work.Run)

	url = "http://" + serve.Addr()
	ready(t, url)
	return url, database
}

// ready waits until events are accepted.
func ready(t *testing.T, url string) {
	t.Helper()
	require.Eventually(t, func() bool {
		res, err := http.Post(url+"/api/v1/events", "application/json",
			strings.NewReader(`{"event_type":"a","source":"b","timestamp":"2026-01-02T03:04:05Z"}`))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusAccepted
	}, 30*time.Second, 10*time.Millisecond)
	http.DefaultClient.CloseIdleConnections()
}

// measured runs bench with a report in JSON.
func measured(t *testing.T, args ...string) (code int, r bench.Report, errs string) {
	t.Helper()
	code, out, errs := eventpulse(t, "", append([]string{"bench", "-o", "json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(out), &r), errs)
	return code, r, errs
}

func TestBench_FindsAllThatWasAccepted(t *testing.T) {
	url, database := deployed(t)
	for name, args := range map[string][]string{
		"open loop":   {"--rate", "200"},
		"closed loop": {"--connections", "4"},
		"batches":     {"--rate", "2000", "--batch", "20", "--size", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			code, r, errs := measured(t, append(args, "--url", url, "--duration", "1s", "--verify", "--database.url", database)...)
			require.Equal(t, exitOK, code, errs)
			require.Positive(t, r.Accepted)
			require.Equal(t, r.Events, r.Accepted)
			require.Equal(t, r.Accepted, r.Verification.Checked)
			require.Zero(t, r.Verification.Missing+r.Verification.Altered+r.Verification.Repeated)
			require.Positive(t, r.Verification.Visible.Samples)

			var rows int64
			db, err := sql.Open("pg", database)
			require.NoError(t, err)
			defer db.Close()
			require.NoError(t, db.QueryRow("SELECT count(*) FROM events WHERE source = '"+r.Source+"'").Scan(&rows))
			require.Equal(t, r.Accepted, rows)
		})
	}
}

// A trigger that drops some rows and changes others stands for whatever could
// go wrong between the answer and the table.
func TestBench_FindsMissingAndAlteredEvents(t *testing.T) {
	url, database := deployed(t)
	db, err := sql.Open("pg", database)
	require.NoError(t, err)
	defer db.Close()
	for _, statement := range []string{
		`CREATE SEQUENCE arrivals`,
		`CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
		DECLARE n bigint := nextval('arrivals');
		BEGIN
			IF n % 50 = 0 THEN RETURN NULL; END IF;
			IF n % 70 = 0 THEN NEW.payload := '{}'; END IF;
			RETURN NEW;
		END $$`,
		`CREATE TRIGGER meddle BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION meddle()`,
	} {
		_, err = db.Exec(statement)
		require.NoError(t, err)
	}

	code, r, errs := measured(t, "--url", url, "--duration", "1s", "--rate", "500", "--verify", "--verify-timeout", "3s", "--database.url", database)
	require.Equal(t, exitError, code)
	require.Contains(t, errs, "accepted events are missing in the database")
	require.Contains(t, errs, "events are stored otherwise than they were sent")

	var stored, altered int64
	require.NoError(t, db.QueryRow("SELECT count(*), count(*) FILTER (WHERE payload = '{}') FROM events WHERE source = '"+r.Source+"'").Scan(&stored, &altered))
	require.Less(t, stored, r.Accepted)
	require.Positive(t, altered)
	require.Equal(t, r.Accepted-stored, r.Verification.Missing)
	require.Equal(t, altered, r.Verification.Altered)
	require.NotEmpty(t, r.Verification.MissingIDs)
	require.NotEmpty(t, r.Verification.AlteredIDs)
}

// failedReport is one in which everything went wrong that can be told of.
func failedReport() *bench.Report {
	lost, altered := uuid.New(), uuid.New()
	return &bench.Report{
		URL: "http://localhost:3000", Source: "bench-0123abcd", Interrupted: true, Batch: 2, Requests: 10, Events: 20, Accepted: 8,
		Answers: map[string]int64{"202": 4, "503": 5}, NoAnswer: 1, Examples: map[string]string{"503": "full"},
		Latency: &bench.Percentiles{P50: 1, Max: 2}, Cleanup: "DELETE FROM events WHERE source = 'bench-0123abcd'",
		Verification: &bench.Verification{
			Accepted: 8, Checked: 8, Missing: 1, Altered: 2, MissingIDs: []uuid.UUID{lost}, AlteredIDs: []uuid.UUID{altered},
			Unclear: 2, UnclearStored: 1, Rejected: 3, Error: "gone", Visible: bench.Visibility{Samples: 3, Unseen: 1, Within: 2.5},
		},
	}
}

func TestBenchText_NamesWhatWentWrong(t *testing.T) {
	r := failedReport()
	var text strings.Builder
	require.NoError(t, benchText(&text, r))
	for _, part := range []string{
		"interrupted", "8 of 20 events", "202: 4, 503: 5, no answer: 1", `503: "full"`, r.Verification.MissingIDs[0].String(),
		r.Verification.AlteredIDs[0].String() + " …", "of 2 events without a clear answer 1 are stored", "not all was checked: gone",
		"too long by up to 2.50 ms", r.Cleanup + ";",
	} {
		require.Contains(t, text.String(), part)
	}
}

func TestBenchJSON_HasTheNamesThatProgramsRead(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, benchJSON(&text, failedReport()))
	var members map[string]any
	require.NoError(t, json.Unmarshal(text.Bytes(), &members))
	for _, name := range []string{
		"url", "source", "started", "rate", "connections", "batch", "event_bytes", "seconds", "interrupted",
		"requests", "events", "accepted", "requests_per_second", "accepted_per_second",
		"answers", "no_answer", "unsent", "latency_ms", "bytes_sent", "bytes_received", "verification", "cleanup",
	} {
		require.Contains(t, members, name)
	}
	for _, name := range []string{"p50", "p90", "p95", "p99", "p99_9", "max"} {
		require.Contains(t, members["latency_ms"], name)
	}
	require.Contains(t, members["verification"], "accept_to_visible")
}

func TestBench_MeasuresTheOneProcessMode(t *testing.T) {
	c := config.Default(config.Dev)
	c.HTTP.Addr, c.Admin.Addr, c.Worker.Block = "127.0.0.1:0", "127.0.0.1:0", 200*time.Millisecond
	dir := t.TempDir()
	dev, err := app.NewDev(t.Context(), c, dir, func([]event.Event, event.Inserted) {}, quietLog())
	require.NoError(t, err)
	during(t, dev.Run)
	ready(t, "http://"+dev.Addr())
	code, out, errs := eventpulse(t, "", "bench", "--url", "http://"+dev.Addr(), "--duration", "1s", "--rate", "100",
		"--verify", "--database.url", "sqlite:"+filepath.Join(dir, "eventpulse.db"))
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "100 of 100 accepted events checked: 0 missing, 0 altered, 0 twice")
}

func TestBench_EndsWithItsContextAndReports(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var requests atomic.Int64
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		if requests.Add(1) == 20 {
			cancel()
		}
	}))
	defer fake.Close()
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"bench", "--url", fake.URL, "--duration", "1h", "--connections", "2", "-q"}, strings.NewReader(""), &out, &errs)
	require.Equal(t, exitOK, code, errs.String())
	require.Contains(t, out.String(), "interrupted")
	require.Empty(t, errs.String())
}

func TestBench_ReportsWhatWasNotAccepted(t *testing.T) {
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, "full", http.StatusServiceUnavailable)
	}))
	code, r, errs := measured(t, "--url", fake.URL, "--duration", "200ms", "--rate", "100", "-q")
	require.Equal(t, exitError, code)
	require.EqualValues(t, 20, r.Answers["503"])
	require.Equal(t, "Error: 20 of 20 events were not accepted (requests: 503: 20)\n", errs)

	fake.Close()
	code, out, errs := eventpulse(t, "", "bench", "--url", fake.URL)
	require.Equal(t, exitError, code)
	require.Empty(t, out)
	require.Contains(t, errs, "connect to "+fake.URL)
}

func TestBench_NamesUsageErrors(t *testing.T) {
	code, out, _ := eventpulse(t, "", "bench", "--help")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "Usage:")
	for _, tt := range [][]string{
		{"--url", "localhost:3000"}, {"--url", "http://me:hunter2@localhost"}, {"--rate", "-1"}, {"--duration", "0s"},
		{"--connections", "0"}, {"--batch", "0"}, {"--size", "10"}, {"--timeout", "0s"}, {"--verify-timeout", "-1s"}, {"--output", "xml"},
	} {
		code, _, errs := eventpulse(t, "", append([]string{"bench"}, tt...)...)
		require.Equal(t, exitUsage, code, tt)
		require.Contains(t, errs, tt[0], tt)
		require.NotContains(t, errs, "hunter2")
	}
	code, _, errs := eventpulse(t, "", "bench", "--verify", "--database.url", "sqlite:"+filepath.Join(t.TempDir(), "none.db"))
	require.Equal(t, exitError, code)
	require.Contains(t, errs, "--verify")
	code, _, errs = eventpulse(t, "", "bench", "--verify", "--database.url", servers.Postgres(t).URL())
	require.Equal(t, exitError, code)
	require.Contains(t, errs, "migrate up")
}
