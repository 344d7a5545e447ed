package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// What is measured is another matter: the machine is not quiet.
func TestQuickRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	chosen := "single,drain-5%"
	if _, err := exec.LookPath("wrk"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("wrk is not installed: run .ci/setup")
		}
		chosen = "drain-5%"
		defer t.Skip("PARTLY SKIPPED: wrk is not installed, run .ci/setup")
	}
	report := filepath.Join(t.TempDir(), "report.md")
	var out strings.Builder
	_, err := run(t.Context(), []string{"--quick", "--events", "2000", "--run", chosen, "--dir", fastDir(), "--out", report}, &out)
	require.NoError(t, err, out.String())
	t.Log("\n" + out.String())

	text, err := os.ReadFile(report)
	require.NoError(t, err)
	require.NotContains(t, string(text), "void")
	for name := range strings.SplitSeq(chosen, ",") {
		require.Contains(t, string(text), "| "+name+" | throughput |")
	}
}

// fastDir returns a directory in memory where there is one: nothing is to be
// learned about a disk here.
func fastDir() string {
	const memory = "/dev/shm"
	if st, err := os.Stat(memory); err == nil && st.IsDir() {
		return memory
	}
	return "/tmp"
}

func TestCommandLine(t *testing.T) {
	f, err := parse([]string{"--quick", "--rounds", "2"}, os.Stderr)
	require.NoError(t, err)
	require.Equal(t, 2, f.options.Rounds, "what is asked for wins over what is quick")
	require.Equal(t, quick().Seconds, f.options.Seconds)
	f, err = parse(nil, os.Stderr)
	require.NoError(t, err)
	require.Equal(t, standard(), f.options)
	for _, bad := range [][]string{{"--rounds", "0"}, {"--seconds", "0"}, {"--events", "1"}, {"more"}, {"--nonsense"}} {
		_, err := parse(bad, &strings.Builder{})
		require.Error(t, err, bad)
	}
}

func TestChoose(t *testing.T) {
	names := func(patterns string) (names []string) {
		chosen, err := choose(scenarios(), patterns)
		require.NoError(t, err)
		for _, s := range chosen {
			names = append(names, s.Name)
		}
		return names
	}
	require.Equal(t, []string{"single", "drain", "drain-5%", "drain-always"}, names("drain*, single"))
	require.Len(t, names("*"), len(scenarios()))
	for _, bad := range []string{"nothing", "single,nothing", "[", ""} {
		_, err := choose(scenarios(), bad)
		require.Error(t, err, bad)
	}

	var out strings.Builder
	ok, err := run(t.Context(), []string{"--list"}, &out)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, len(scenarios()), strings.Count(out.String(), "\n"))
	for _, s := range scenarios() {
		require.NotEmpty(t, s.What)
		require.NotNil(t, s.Begin)
	}
}
