package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/test/chaos/load"
	"github.com/eventpulse/eventpulse/test/chaos/verify"
	"github.com/eventpulse/eventpulse/test/harness"
	"github.com/eventpulse/eventpulse/test/servers"
)

var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "eventpulse-chaos-binary-"); err != nil {
		panic(err)
	}
	code := servers.Main(m, goleak.IgnoreCurrent())
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

func TestMatrixIsInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range matrix() {
		require.False(t, seen[f.Name], f.Name)
		seen[f.Name] = true
		require.NotEmpty(t, f.What, f.Name)
		require.NotNil(t, f.Inject, f.Name)
		require.LessOrEqual(t, len(f.Name), nameWidth, f.Name)
	}
}

func TestChoose(t *testing.T) {
	faults := []Fault{{Name: "redis-killed"}, {Name: "redis-down"}, {Name: "work-killed"}}
	names := func(patterns string) (names []string) {
		chosen, err := choose(faults, patterns)
		require.NoError(t, err)
		for _, f := range chosen {
			names = append(names, f.Name)
		}
		return names
	}
	require.Equal(t, []string{"redis-killed", "redis-down", "work-killed"}, names("*"))
	require.Equal(t, []string{"redis-killed", "redis-down"}, names("redis-*,redis-down"))
	require.Equal(t, []string{"redis-killed", "work-killed"}, names("*-killed"))
	_, err := choose(faults, "redis-*,nobody")
	require.ErrorContains(t, err, "nobody")
	_, err = choose(faults, "[")
	require.Error(t, err)
}

func TestCommandLine(t *testing.T) {
	var out bytes.Buffer
	ok, err := run(t.Context(), []string{"--list", "--run", "serve-*"}, &out)
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, out.String(), "serve-frozen")
	require.NotContains(t, out.String(), "redis-")

	for _, bad := range [][]string{{"--rate", "0"}, {"--duration", "1ms"}, {"--run", "nobody"}, {"stray"}} {
		_, err := run(t.Context(), bad, &out)
		require.Error(t, err, bad)
	}
	f, err := parse([]string{"--random", "10m"}, &out)
	require.NoError(t, err)
	require.Equal(t, randomName, f.run)
	require.GreaterOrEqual(t, f.duration, 10*time.Minute)
}

// good is a result that nobody can find fault with.
func good() Result {
	return Result{
		Fault:  Fault{Name: "good", Expect: unharmed},
		All:    load.Summary{Requests: 100},
		During: load.Summary{Requests: 100, P50: time.Millisecond, P99: 10 * time.Millisecond, Max: time.Second},
		Fresh:  time.Second, Seen: Seen{Ready: readiness{Asked: 10}},
		Report: verify.Report{Accepted: 5, Stored: 5},
	}
}

func TestExpectations(t *testing.T) {
	require.Empty(t, expectations(good()))
	for what, spoil := range map[string]func(*Result){
		"p99":               func(r *Result) { r.During.P99 = p99Limit },
		"not stored at all": func(r *Result) { r.Fresh = -1 },
		"a fresh event":     func(r *Result) { r.Fresh = freshLimit + 1 },
		"not ready":         func(r *Result) { r.Seen.Ready.NotReady = 1 },
		"no request":        func(r *Result) { r.All.Requests = 0 },
		"during the fault":  func(r *Result) { r.DuringFault.Valid[load.Unclear] = 3 },
		"once it was over":  func(r *Result) { r.AfterFault.Valid[load.Busy] = 3 },
		"not be offered":    func(r *Result) { r.Skipped = 1 },
	} {
		r := good()
		spoil(&r)
		wrong := append(append(unconditional(r), shares(r)...), expectations(r)...)
		require.Len(t, wrong, 1, what)
		require.Contains(t, wrong[0], what)
	}
	r := good()
	r.Fault.Expect.Ready, r.Seen.Ready.NotReady = false, 3
	require.Empty(t, append(append(unconditional(r), shares(r)...), expectations(r)...))

	r = good()
	r.Fault.Expect.Steady = true
	r.During.P99, r.Typical = 2*p99Limit, p99Limit/2
	r.Seen.Ready = readiness{Asked: 200, NotReady: 2}
	r.All.Valid[load.Accepted], r.Skipped = 1000, 50
	require.Empty(t, append(append(unconditional(r), shares(r)...), expectations(r)...), "a bad moment of what is steady")
	r.Typical, r.Seen.Ready.NotReady, r.Skipped = p99Limit, 3, 51
	require.Len(t, append(append(unconditional(r), shares(r)...), expectations(r)...), 3)
}

func TestDeadLettersAreComparedWithThePoison(t *testing.T) {
	kind := poison{reason: "rejected", code: "22P05"}
	sent := map[string]poison{"<poison 1 a>": kind, "<poison 1 b>": kind}
	letter := func(text string) harness.Entry {
		return harness.Entry{ID: "1-1", Fields: map[string]any{"source": text, "dlq_reason": "rejected", "dlq_code": "22P05"}}
	}
	a, b := letter("<poison 1 a>"), letter("x<poison 1 b>y")
	require.Empty(t, compareDeadLetters([]harness.Entry{b, a}, sent))
	require.Empty(t, compareDeadLetters(nil, nil))
	other := letter("<poison 1 b>")
	other.Fields["dlq_code"] = "22P02"
	for name, deadLetters := range map[string][]harness.Entry{
		"missing":      {a},
		"twice":        {a, b, b},
		"a stranger":   {a, b, letter("web")},
		"wrong reason": {a, other},
	} {
		require.NotEmpty(t, compareDeadLetters(deadLetters, sent), name)
	}
	require.NotEmpty(t, compareDeadLetters([]harness.Entry{a}, nil), "none is expected")
}

func TestSpoolIsDamagedAtOneEvent(t *testing.T) {
	dir := t.TempDir()
	_, _, err := damageSpool(dir)
	require.Error(t, err)

	path := filepath.Join(dir, "segment")
	var text strings.Builder
	maker := load.Maker{Seed: 1}
	for n := range uint32(100) {
		text.WriteString(maker.Make(n).Body)
	}
	text.Write(make([]byte, 1<<20)) // room that is not used yet
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	number, places, err := damageSpool(dir)
	require.NoError(t, err)
	require.Equal(t, 1, places)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	different := 0
	for i := range after {
		if after[i] != text.String()[i] {
			different++
		}
	}
	require.Equal(t, 1, different)
	require.Contains(t, text.String(), maker.Make(number).Body)
	require.NotContains(t, string(after), maker.Make(number).Body)
}

func TestReport(t *testing.T) {
	bad, absent := good(), good()
	bad.Fault.Name, bad.Wrong = "bad", []string{"lost 3"}
	absent.Fault.Name, absent.NotRun = "absent", "needs root"

	_, ok := summarize([]Result{good(), absent})
	require.True(t, ok)
	_, ok = summarize([]Result{absent})
	require.False(t, ok, "nothing was shown")
	text, ok := summarize([]Result{good(), bad, absent})
	require.False(t, ok)
	require.Contains(t, text, "1 of 3 faults held")
	require.Contains(t, text, "FAILED: bad")
	require.Contains(t, text, "NOT RUN: absent")

	document := markdown([]Result{good(), bad, absent}, "about", text)
	for _, part := range []string{"| good |", "| FAIL |", "**wrong**: lost 3", "absent was not run: needs root"} {
		require.Contains(t, document, part)
	}
	require.Contains(t, absent.line(), "NOT RUN")
	require.Len(t, strings.Fields(good().line()), 2+len(columns))
}
