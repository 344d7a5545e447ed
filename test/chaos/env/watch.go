package env

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/test/harness"
)

const (
	// BacklogMetric is the metric of serve that counts events in its spool.
	BacklogMetric  = "eventpulse_spool_backlog_events"
	readyTimeout   = time.Minute
	adminTimeout   = 2 * time.Second
	watchInterval  = 100 * time.Millisecond
	quietIsSettled = 2 // looks in a row
)

// awaitReady returns once every process is ready, or lives when Redis is
// absent from the beginning.
func (s *Environment) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	path := "/readyz"
	if s.Config.RedisAbsent {
		path = "/livez"
	}
	for _, admin := range append([]string{s.ServeAdmin}, s.WorkAdmin...) {
		if err := until(ctx, watchInterval, func() bool { return Probe(ctx, admin+path) }); err != nil {
			return fmt.Errorf("%s%s does not answer 200: %w", admin, path, err)
		}
	}
	return nil
}

// Probe reports whether url answers 200 in time.
func Probe(ctx context.Context, url string) bool { return Ask(ctx, url) == nil }

// Ask returns nil when url answers 200 in time, and else what it answers.
func Ask(ctx context.Context, url string) error {
	body, err := get(ctx, url)
	if err != nil {
		return err
	}
	return body.Close()
}

func get(ctx context.Context, url string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	body := &cancelled{resp.Body, cancel}
	if resp.StatusCode != http.StatusOK {
		const enough = 500
		why, _ := io.ReadAll(io.LimitReader(body, enough))
		_ = body.Close()
		return nil, fmt.Errorf("GET %s: %s: %q", url, resp.Status, why)
	}
	return body, nil
}

// cancelled ends a request's context with its body.
type cancelled struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelled) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// Metric returns the sum of a metric over its labels, as the process at the
// admin address shows it; ok is false when it shows none.
func Metric(ctx context.Context, admin, name string) (sum float64, ok bool, err error) {
	body, err := get(ctx, admin+"/metrics")
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		rest, found := strings.CutPrefix(lines.Text(), name)
		if !found || rest == "" || (rest[0] != ' ' && rest[0] != '{') {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, false, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, ok = sum+value, true
	}
	return sum, ok, lines.Err()
}

// Backlog is what is on its way and not stored.
type Backlog struct {
	Spooled     int64 // -1 when there is no spool
	Undelivered bool  // entries that the group has not been given
	Pending     int64
}

// Empty reports whether nothing is on its way.
func (b Backlog) Empty() bool { return b.Spooled <= 0 && !b.Undelivered && b.Pending == 0 }

func (b Backlog) String() string {
	return fmt.Sprintf("spooled %d, undelivered %v, pending %d", b.Spooled, b.Undelivered, b.Pending)
}

// Backlog looks at spool and stream.
func (s *Environment) Backlog(ctx context.Context) (Backlog, error) {
	b := Backlog{Spooled: -1}
	spooled, ok, err := Metric(ctx, s.ServeAdmin, BacklogMetric)
	if err != nil {
		return b, err
	}
	if ok {
		b.Spooled = int64(spooled)
	}
	addr := s.Redis.Addr()
	replies, err := harness.Redis(ctx, addr, []string{"EXISTS", harness.StreamKey})
	if err != nil {
		return b, err
	}
	if replies[0] == int64(0) {
		return b, nil // forgotten, and nothing came after
	}
	if replies, err = harness.Redis(ctx, addr,
		[]string{"XPENDING", harness.StreamKey, harness.Group},
		[]string{"XINFO", "GROUPS", harness.StreamKey},
	); err != nil {
		return b, err
	}
	if summary, _ := replies[0].([]any); len(summary) > 0 {
		b.Pending, _ = summary[0].(int64)
	}
	groups, _ := replies[1].([]any)
	for _, g := range groups {
		if fields := harness.Fields(g); fields["name"] == harness.Group {
			last, _ := fields["last-delivered-id"].(string)
			if replies, err = harness.Redis(ctx, addr, []string{"XRANGE", harness.StreamKey, "(" + last, "+", "COUNT", "1"}); err != nil {
				return b, err
			}
			b.Undelivered = len(harness.Entries(replies[0])) > 0
		}
	}
	return b, nil
}

// Settle returns once nothing has been on its way for a moment and stored
// reports that the table holds what it should; ctx bounds it. The error says
// what it was still waiting for.
func (s *Environment) Settle(ctx context.Context, stored func() (bool, error)) error {
	quiet := 0
	var last string
	err := until(ctx, watchInterval, func() bool {
		b, err := s.Backlog(ctx)
		switch {
		case err != nil:
			quiet, last = 0, err.Error()
		case !b.Empty():
			quiet, last = 0, b.String()
		default:
			quiet++
			last = "the table does not hold all that was accepted"
		}
		if quiet < quietIsSettled {
			return false
		}
		ok, err := stored()
		if err != nil {
			last = err.Error()
		}
		return ok && err == nil
	})
	if err != nil {
		return fmt.Errorf("not settled: %s: %w", last, err)
	}
	return nil
}

// DeadLetters returns the entries of the dead-letter stream.
func (s *Environment) DeadLetters(ctx context.Context) ([]harness.Entry, error) {
	replies, err := harness.Redis(ctx, s.Redis.Addr(), []string{"XRANGE", harness.DeadLetterKey, "-", "+"})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return harness.Entries(replies[0]), nil
}
