package measure

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/process"
)

// GoBenchmark runs one benchmark of a package of the module in root and
// returns its figures by their units, such as "ns/op", "MB/s" and "allocs/op".
func GoBenchmark(ctx context.Context, root, pkg, name string, d time.Duration) (map[string]float64, error) {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		parts = append(parts, "^"+part+"$")
	}
	out, err := process.Output(ctx, "go", "-C", root, "test", "-run", "^$", "-bench", strings.Join(parts, "/"),
		"-benchmem", "-benchtime", d.String(), pkg)
	if err != nil {
		return nil, err
	}
	return parseGoBenchmark(string(out), name)
}

// parseGoBenchmark reads "BenchmarkX/y-2   1000   123 ns/op   45.6 MB/s".
func parseGoBenchmark(out, name string) (map[string]float64, error) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		// Behind the name stands, after a hyphen, the number of processors
		// unless that is one.
		if len(f) < 4 || (f[0] != name && !strings.HasPrefix(f[0], name+"-")) {
			continue
		}
		figures := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			value, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s printed %q: %w", name, line, err)
			}
			figures[f[i+1]] = value
		}
		return figures, nil
	}
	return nil, fmt.Errorf("%s printed no figures: %q", name, out)
}
