package cmd

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// eventpulse runs the command line and returns its exit code and output.
func eventpulse(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = execute(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

func TestHelp_AnswersEverywhere(t *testing.T) {
	for _, args := range [][]string{
		{}, {"serve"}, {"work"}, {"migrate"}, {"migrate", "up"}, {"migrate", "down"}, {"migrate", "status"},
		{"dev"}, {"config"}, {"healthcheck"}, {"version"}, {"completion"},
	} {
		code, out, errs := eventpulse(t, "", append(args, "--help")...)
		require.Equal(t, exitOK, code, args)
		require.Contains(t, out, "Usage:", args)
		require.Empty(t, errs, args)
	}
}

func TestUsageErrors_AreNamedAndExitWithTwo(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says []string
	}{
		{[]string{"serve", "--no-such-flag"}, []string{"--no-such-flag", "eventpulse serve --help"}},
		{[]string{"serve", "--http.addr", "nonsense", "--http.max_in_flight", "-3"}, []string{"http.addr", "http.max_in_flight"}},
		{[]string{"work", "--worker.block", "soon"}, []string{"worker.block", "soon"}},
		{[]string{"work", "--redis.url", "http://x"}, []string{"redis.url"}},
		{[]string{"migrate", "up", "--database.url", "mysql://u:secret@x/y"}, []string{"database.url"}},
		{[]string{"config", "--role", "king"}, []string{"--role", "king", "serve"}},
		{[]string{"config", "-o", "xml"}, []string{"--output", "xml", "yaml"}},
		{[]string{"serve", "--config", "/does/not/exist.yaml"}, []string{"/does/not/exist.yaml"}},
	} {
		code, out, errs := eventpulse(t, "", tt.args...)
		require.Equal(t, exitUsage, code, "%v: %s", tt.args, errs)
		require.Empty(t, out)
		for _, s := range tt.says {
			require.Contains(t, errs, s, tt.args)
		}
		require.NotContains(t, errs, "secret")
		for line := range strings.Lines(errs) {
			require.NotContains(t, line, "goroutine")
		}
	}
}

func TestExecute_RejectsUnknownCommandsAndArguments(t *testing.T) {
	for _, args := range [][]string{{"srve"}, {"serve", "extra"}, {"migrate", "sideways"}} {
		code, _, errs := eventpulse(t, "", args...)
		require.NotEqual(t, exitOK, code, args)
		require.Contains(t, errs, args[len(args)-1])
	}
}

func TestConfig_ShowsSourcesAndMasksSecrets(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://me:hunter2@db/events")
	t.Setenv("EVENTPULSE_WORKER_BATCH_SIZE", "77")
	code, out, errs := eventpulse(t, "", "config", "--role", "work")
	require.Equal(t, exitOK, code, errs)
	require.NotContains(t, out, "hunter2")
	require.Regexp(t, `worker\.batch_size\s+77\s+env EVENTPULSE_WORKER_BATCH_SIZE`, out)
	require.Regexp(t, `database\.url\s+postgres://me:.*@db/events.*\s+env DATABASE_URL`, out)
}

func TestMigrateDown_AsksForConfirmation(t *testing.T) {
	db := "sqlite:" + t.TempDir() + "/x.db"
	code, out, errs := eventpulse(t, "", "migrate", "up", "--database.url", db)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "applied")
	code, out, errs = eventpulse(t, "", "migrate", "up", "--database.url", db)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "up to date")

	for _, answer := range []string{"", "no\n", "y\n"} {
		code, _, errs = eventpulse(t, answer, "migrate", "down", "--database.url", db)
		require.Equal(t, exitError, code)
		require.Contains(t, errs, "nothing was changed")
	}
	_, out, _ = eventpulse(t, "", "migrate", "status", "--database.url", db)
	require.Regexp(t, `\d{4}-\d\d-\d\d `, out)

	code, out, errs = eventpulse(t, "yes\n", "migrate", "down", "--database.url", db)
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "rolled back")
	code, out, _ = eventpulse(t, "", "migrate", "down", "--yes", "--database.url", db)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "nothing to roll back")
}

func TestHealthcheck_ReportsTheProbe(t *testing.T) {
	status := http.StatusOK
	probe := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(r.URL.Path + " says redis: gone"))
	}))
	defer probe.Close()
	addr := probe.Listener.Addr().String()

	code, out, _ := eventpulse(t, "", "healthcheck", "--addr", addr)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "/readyz")
	_, out, _ = eventpulse(t, "", "healthcheck", "--addr", addr, "--live")
	require.Contains(t, out, "/livez")

	status = http.StatusServiceUnavailable
	code, _, errs := eventpulse(t, "", "healthcheck", "--addr", addr)
	require.Equal(t, exitError, code)
	require.Contains(t, errs, "redis: gone")

	probe.Close()
	t.Setenv("EVENTPULSE_ADMIN_ADDR", addr)
	code, _, errs = eventpulse(t, "", "healthcheck", "--timeout", "1s")
	require.Equal(t, exitError, code)
	require.Contains(t, errs, addr)
}

func TestVersion_NamesTheProgram(t *testing.T) {
	code, out, _ := eventpulse(t, "", "version")
	require.Equal(t, exitOK, code)
	require.True(t, strings.HasPrefix(out, "eventpulse "), out)
}

func TestRoles_EndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"serve", "--http.addr", "127.0.0.1:0", "--admin.addr", "127.0.0.1:0", "--http.drain_delay", "0s", "--spool.dir", "",
		"--redis.url", "redis://127.0.0.1:1"}, strings.NewReader(""), &out, &errs)
	require.Equal(t, exitOK, code, errs.String())
}
