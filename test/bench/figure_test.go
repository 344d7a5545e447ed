package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 6: "6", 0.0123: "0.012", 0.5: "0.50", 3.456: "3.46", 34.56: "34.6", 345.6: "346", 999.7: "1000",
		1234.5: "1,234", 123456: "123,456", 12345678: "12,345,678", -1500: "-1,500", math.Inf(1): "–", math.NaN(): "–",
	} {
		require.Equal(t, want, number(v))
	}
}

func TestGoals(t *testing.T) {
	require.True(t, atLeast(0.5).met(0.5))
	require.False(t, atLeast(0.5).met(0.49))
	require.True(t, atMost(2.5).met(2.5))
	require.False(t, atMost(2.5).met(2.6))
	require.False(t, atMost(2.5).met(math.NaN()))
	require.True(t, Goal{}.met(7))
	require.Equal(t, "≤ 2.5", atMost(2.5).String())
	require.Equal(t, "–", Goal{}.String())
}

func TestReport(t *testing.T) {
	rate := Figure{Name: "throughput", Unit: "req/s", Baseline: "bare handler", Goal: atLeast(0.5)}
	memory := Figure{Name: "memory", Unit: "MiB", Goal: atMost(48)}
	r := Result{Scenario: Scenario{Name: "some"}, Rounds: 3}
	for i, own := range []float64{20_000, 30_000, 10_000} {
		round := Round{Number: i}
		round.Compare(rate, own, 40_000)
		round.Note(memory, own/500)
		for _, taken := range round.taken {
			r.add(taken)
		}
	}
	require.Equal(t, "| scenario | figure | unit | EventPulse | limit | | ratio | goal | result |\n"+
		"|---|---|---|--:|--:|---|--:|--:|---|\n"+
		"| some | throughput | req/s | 20,000 (10,000–30,000) | 40,000 (40,000–40,000) | bare handler | 0.50 (0.25–0.75) | ≥ 0.5 | met |\n"+
		"|  | memory | MiB | 40 (20–60) | – |  | – | ≤ 48 | met |\n", markdown([]Result{r})[:len(markdown([]Result{r}))-len("\nMedian (min–max) over the rounds; a ratio is taken in each round, EventPulse to the limit of that round.\n")])
	require.True(t, allMet([]Result{r}))

	r.Rounds = 4
	require.Contains(t, markdown([]Result{r}), "**void**", "a round is missing")
	require.False(t, allMet([]Result{r}))

	r.Rounds, r.Wrong = 3, []string{"round 2 is void: 7 were refused"}
	require.Contains(t, markdown([]Result{r}), "some: round 2 is void: 7 were refused")
	require.False(t, allMet([]Result{r}))

	require.Contains(t, markdown([]Result{{Scenario: Scenario{Name: "none"}, Rounds: 1}}), "| none | | | | | | | | **void** |")
}

func TestInTurn(t *testing.T) {
	for number, want := range []string{"ab", "ba", "ab"} {
		order := ""
		say := func(s string) func() error { return func() error { order += s; return nil } }
		require.NoError(t, (&Round{Number: number}).InTurn(say("a"), say("b")))
		require.Equal(t, want, order)
	}
}
