package measure

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/process"
)

// Wrk is a load of the same POST over and over, as fast as it is answered.
type Wrk struct {
	URL         string
	Body        string
	Connections int
	Duration    time.Duration
	Dir         string // for the script
}

// WrkResult is what came of it.
type WrkResult struct {
	Requests      int
	Rate          float64 // requests per second
	P50, P99      time.Duration
	NonSuccess    int // answers of 400 and above
	ConnectErrors int // of connections, reads, writes and time-outs
}

// Sound returns why the result does not count, nil when it does.
func (r WrkResult) Sound() error {
	if r.NonSuccess > 0 || r.ConnectErrors > 0 || r.Requests == 0 {
		return fmt.Errorf("of %d requests %d were refused, and %d errors of connections", r.Requests, r.NonSuccess, r.ConnectErrors)
	}
	return nil
}

// mark begins the line of figures that our script has wrk print: its own
// output is rounded.
const mark = "figures:"

// script is a request that never changes, so that no Lua runs while it is
// measured.
const script = `wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = %s
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("` + mark + ` %%d %%d %%.0f %%.0f %%d %%d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
`

// Run offers the load for its duration with one thread.
func (w Wrk) Run(ctx context.Context) (WrkResult, error) {
	path := filepath.Join(w.Dir, "wrk.lua")
	if err := os.WriteFile(path, []byte(fmt.Sprintf(script, luaString(w.Body))), 0o600); err != nil {
		return WrkResult{}, fmt.Errorf("wrk: %w", err)
	}
	const grace = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, w.Duration+grace)
	defer cancel()
	// A whole number is all that wrk takes.
	seconds := max(1, int(math.Round(w.Duration.Seconds())))
	out, err := process.Output(ctx, "wrk", "-t1", "-c"+strconv.Itoa(w.Connections), fmt.Sprintf("-d%ds", seconds),
		"--latency", "--timeout", "10s", "-s", path, w.URL)
	if err != nil {
		return WrkResult{}, err
	}
	return parseWrk(string(out))
}

// parseWrk reads the line that the script prints: requests, microseconds they
// took, two percentiles in microseconds, refusals, errors.
func parseWrk(out string) (WrkResult, error) {
	_, line, found := strings.Cut(out, mark)
	var r WrkResult
	var micros, p50, p99 int64
	if _, err := fmt.Sscan(line, &r.Requests, &micros, &p50, &p99, &r.NonSuccess, &r.ConnectErrors); err != nil || !found || micros <= 0 {
		return WrkResult{}, fmt.Errorf("wrk printed no figures: %q", out)
	}
	r.Rate = float64(r.Requests) / (float64(micros) / 1e6)
	r.P50, r.P99 = time.Duration(p50)*time.Microsecond, time.Duration(p99)*time.Microsecond
	return r, nil
}

// luaString quotes text for Lua: between long brackets nothing is special but
// their end.
func luaString(text string) string {
	level := "="
	for strings.Contains(text, "]"+level+"]") {
		level += "="
	}
	return "[" + level + "[" + text + "]" + level + "]"
}
