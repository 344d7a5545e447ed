package measure

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseWrk(t *testing.T) {
	out := `Running 2s test @ http://127.0.0.1:7913/api/v1/events
  1 threads and 64 connections
  Latency Distribution
     50%    3.29ms
  73679 requests in 2.00s, 16.79MB read
Requests/sec:  36839.50
Transfer/sec:      4.19MB
figures: 73679 2000500 3290 9312 3 1
`
	r, err := parseWrk(out)
	require.NoError(t, err)
	require.InDelta(t, 36830.29, r.Rate, 0.01)
	r.Rate = 0
	require.Equal(t, WrkResult{
		Requests: 73679, P50: 3290 * time.Microsecond, P99: 9312 * time.Microsecond, NonSuccess: 3, ConnectErrors: 1,
	}, r)

	for _, bad := range []string{"", "unable to connect to 127.0.0.1:1 Connection refused\n", "figures: 1 2", "figures: 1 0 2 3 4 5"} {
		_, err := parseWrk(bad)
		require.ErrorContains(t, err, "no figures", bad)
	}
}

func TestOnlySoundResultsCount(t *testing.T) {
	require.NoError(t, WrkResult{Requests: 1}.Sound())
	require.Error(t, WrkResult{}.Sound())
	require.ErrorContains(t, WrkResult{Requests: 9, NonSuccess: 1}.Sound(), "of 9 requests 1 were refused")
	require.Error(t, WrkResult{Requests: 9, ConnectErrors: 1}.Sound())
}

func TestLuaString(t *testing.T) {
	require.Equal(t, `[=[{"a":[1]}]=]`, luaString(`{"a":[1]}`))
	require.Equal(t, `[==[a]=]b]==]`, luaString(`a]=]b`))
}

func TestParseRedisBenchmark(t *testing.T) {
	rate, err := parseRedisBenchmark(`"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"XADD k * a {"x":"y","z":1}","909963.62","4.331","0.848","3.711","7.407","7.951","7.999"
`)
	require.NoError(t, err)
	require.Equal(t, 909963.62, rate)
	for _, bad := range []string{"", "Could not connect to Redis", `"a","b","c","d","e","f","g","h"`} {
		_, err := parseRedisBenchmark(bad)
		require.Error(t, err, bad)
	}
}

func TestParseTiming(t *testing.T) {
	for out, want := range map[string]time.Duration{
		"Timing is on.\nCOPY 500000\nTime: 4711.042 ms (00:04.711)\n": 4711042 * time.Microsecond,
		"Time: 0.500 ms\n": 500 * time.Microsecond,
	} {
		got, err := parseTiming(out)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", "COPY 5", "Time: x ms", "Time: 4 s", "Time: 0.000 ms"} {
		_, err := parseTiming(bad)
		require.Error(t, err, bad)
	}
}

func TestParseGoBenchmark(t *testing.T) {
	out := `goos: linux
BenchmarkParse/small_minted-2         	  500000	      2000 ns/op	 110.00 MB/s	     400 B/op	       7 allocs/op
BenchmarkParse/small-2         	  901234	      1310.5 ns/op	 175.51 MB/s	     368 B/op	       6 allocs/op
PASS
`
	figures, err := parseGoBenchmark(out, "BenchmarkParse/small")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"ns/op": 1310.5, "MB/s": 175.51, "B/op": 368, "allocs/op": 6}, figures)
	figures, err = parseGoBenchmark("BenchmarkX 1 2 ns/op\n", "BenchmarkX")
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"ns/op": 2}, figures)
	for _, bad := range []string{"", "PASS\n", "BenchmarkX-2 1 much ns/op"} {
		_, err := parseGoBenchmark(bad, "BenchmarkX")
		require.Error(t, err, bad)
	}
}
