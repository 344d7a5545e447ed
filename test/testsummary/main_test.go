package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func summaryOf(t *testing.T, lines ...string) (summary, string) {
	t.Helper()
	s, err := read(strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	var text strings.Builder
	s.write(&text)
	return s, text.String()
}

func TestSummary_SaysWhatWasLeftOut(t *testing.T) {
	s, text := summaryOf(t,
		`{"Action":"pass","Package":"x/a","Test":"TestA"}`,
		`{"Action":"output","Package":"x/a","Test":"TestB","Output":"needs a server\n"}`,
		`{"Action":"skip","Package":"x/a","Test":"TestB"}`,
		`{"Action":"skip","Package":"x/a","Test":"TestA/sub"}`,
		`{"Action":"pass","Package":"x/a"}`,
		`{"Action":"skip","Package":"x/none"}`,
	)
	require.Empty(t, s.failed)
	require.Equal(t, "2 packages, 1 tests passed, 0 packages failed\nLEFT OUT: 1 tests (a 1); `make test` runs them\n", text)
}

func TestSummary_ShowsTheOutputOfFailedTestsOnly(t *testing.T) {
	s, text := summaryOf(t,
		`{"Action":"output","Package":"x/a","Test":"TestGood","Output":"chatter\n"}`,
		`{"Action":"pass","Package":"x/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"x/a","Test":"TestBad","Output":"want 1, got 2\n"}`,
		`{"Action":"fail","Package":"x/a","Test":"TestBad"}`,
		`{"Action":"output","Package":"x/a","Output":"FAIL x/a\n"}`,
		`{"Action":"fail","Package":"x/a"}`,
	)
	require.Len(t, s.failed, 1)
	require.Contains(t, text, "want 1, got 2\nFAIL x/a\n")
	require.NotContains(t, text, "chatter")
}

func TestSummary_ShowsWhatDoesNotBuild(t *testing.T) {
	s, text := summaryOf(t,
		`{"ImportPath":"x/a [x/a.test]","Action":"build-output","Output":"a.go:1: syntax error\n"}`,
		`{"ImportPath":"x/a [x/a.test]","Action":"build-fail"}`,
		`{"Action":"fail","Package":"x/a","FailedBuild":"x/a [x/a.test]"}`,
	)
	require.NotEmpty(t, s.failed)
	require.Contains(t, text, "syntax error")
}

func TestSummary_RefusesWhatIsNoJSON(t *testing.T) {
	_, err := read(strings.NewReader("ok x/a 0.1s\n"))
	require.ErrorContains(t, err, "ok x/a")
}
