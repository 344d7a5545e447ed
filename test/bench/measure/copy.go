package measure

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/process"
)

// columns are those of a row in a file for Copy, in order.
const columns = `event_id, event_type, source, "timestamp", payload, metadata`

// Copy reads a file of rows, in PostgreSQL's text format, into a table with
// psql's \copy, and returns how long PostgreSQL took for it, without the start
// of psql.
func Copy(ctx context.Context, url, table, file string) (time.Duration, error) {
	psql, err := FindPostgres("psql")
	if err != nil {
		return 0, err
	}
	out, err := process.Output(ctx, psql, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "--dbname", url,
		"-c", `\timing on`, "-c", fmt.Sprintf(`\copy %s(%s) from '%s'`, table, columns, file))
	if err != nil {
		return 0, err
	}
	return parseTiming(string(out))
}

// FindPostgres returns the path of a program of PostgreSQL, of which Debian
// keeps some out of PATH.
func FindPostgres(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(found) > 0 {
		return found[len(found)-1], nil
	}
	return "", fmt.Errorf("install PostgreSQL and its client: %w", err)
}

// parseTiming reads "Time: 4711.042 ms (00:04.711)".
func parseTiming(out string) (time.Duration, error) {
	_, rest, found := strings.Cut(out, "Time: ")
	number, _, ms := strings.Cut(rest, " ms")
	value, err := strconv.ParseFloat(number, 64)
	if !found || !ms || err != nil || value <= 0 {
		return 0, fmt.Errorf("psql printed no time: %q", out)
	}
	return time.Duration(value * float64(time.Millisecond)), nil
}
