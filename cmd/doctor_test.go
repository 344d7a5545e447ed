package cmd

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/doctor"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestDoctor_ExitCodeSaysWhetherThereIsAProblem(t *testing.T) {
	redis := servers.Redis(t, "--appendonly", "yes", "--maxmemory", "512mb")
	postgres := servers.Postgres(t, "fsync=on")
	args := []string{
		"--redis.url", redis.URL(), "--database.url", postgres.URL(),
		"--spool.dir", filepath.Join(t.TempDir(), "spool"), "--spool.max_bytes", "1MiB", "--spool.min_free_bytes", "1MiB",
	}
	doctor := func(more ...string) (int, string, string) {
		return eventpulse(t, "", append(append([]string{"doctor"}, args...), more...)...)
	}

	code, out, errs := doctor()
	require.Equal(t, exitError, code)
	require.Regexp(t, `problem +database\.schema .*\n +-> eventpulse migrate up\n`, out)
	require.Contains(t, errs, "problems found: 1")

	code, _, errs = eventpulse(t, "", "migrate", "up", "--database.url", postgres.URL())
	require.Equal(t, exitOK, code, errs)
	code, out, errs = doctor()
	require.Equal(t, exitOK, code, out)
	require.Empty(t, errs)
	require.Regexp(t, `warning +redis\.persistence`, out) // everysec
	require.Regexp(t, `\d+ warnings?, `, out)

	code, out, _ = doctor("-o", "json", "--redis.url", "redis://:hunter2@127.0.0.1:1")
	require.Equal(t, exitError, code)
	require.NotContains(t, out, "hunter2")
	var found struct {
		Problems int
		Findings []struct{ Status, Check, Message, Remedy string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &found))
	require.Equal(t, 1, found.Problems)
	require.Equal(t, "redis.reachable", found.Findings[0].Check)
	require.NotEmpty(t, found.Findings[0].Remedy)
}

func TestDoctor_TextAndJSON(t *testing.T) {
	r := doctor.Report{Findings: []doctor.Finding{
		{Status: doctor.OK, Check: "redis.version", Message: "Redis 7"},
		{Status: doctor.Problem, Check: "redis.persistence", Message: "none <here>", Remedy: "do & mend"},
		{Status: doctor.Warning, Check: "a.b", Message: "c", Remedy: "d"}, {Status: doctor.Warning, Check: "a.c", Message: "c", Remedy: "d"},
	}}
	var text bytes.Buffer
	require.NoError(t, writeReport(&text, r))
	require.Equal(t, `ok       redis.version      Redis 7
problem  redis.persistence  none <here>
                            -> do & mend
warning  a.b                c
                            -> d
warning  a.c                c
                            -> d

1 problem, 2 warnings, 1 ok
`, text.String())

	var out bytes.Buffer
	require.NoError(t, writeReportJSON(&out, r))
	require.Contains(t, out.String(), "none <here>")
	var read struct {
		Problems, Warnings, OK int
		Findings               []doctor.Finding
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Equal(t, r.Findings, read.Findings)
	require.Equal(t, 1, read.Problems)
	require.Equal(t, 2, read.Warnings)
}

func TestDoctor_NamesUsageErrors(t *testing.T) {
	code, out, _ := eventpulse(t, "", "doctor", "--help")
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "Usage:")
	code, _, errs := eventpulse(t, "", "doctor", "-o", "xml")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "--output")
	code, _, errs = eventpulse(t, "", "doctor", "--redis.url", "http://x")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "redis.url")
}
