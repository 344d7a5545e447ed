package stream

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// newClient returns a client of the Redis at url that is closed with the test.
func newClient(tb testing.TB, url string, change ...func(*RedisConfig, *Config)) *Client {
	tb.Helper()
	redis, cfg := DefaultRedisConfig(), DefaultConfig()
	redis.URL = url
	redis.Timeout, cfg.PublishTimeout = 20*time.Second, 20*time.Second // the machine may be busy
	for _, f := range change {
		f(&redis, &cfg)
	}
	c, err := New(redis, cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(tb, err)
	tb.Cleanup(c.Close)
	return c
}

// withRedis starts a Redis and returns a client of it.
func withRedis(tb testing.TB, args ...string) (*Client, *servers.RedisServer) {
	tb.Helper()
	server := servers.Redis(tb, args...)
	return newClient(tb, server.URL()), server
}

// sample returns n events numbered from first.
func sample(first, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.Must(uuid.NewV7()), Type: "order.placed", Source: "test", Timestamp: time.Now().UTC().Truncate(time.Microsecond),
			Payload: fmt.Sprintf(`{"n":%d,"text":"ein Gruß \\u0000 \"?0\" '; DROP TABLE"}`, first+i), Metadata: `{}`,
		}
	}
	return events
}

func ids(events []event.Event) []string {
	out := make([]string, len(events))
	for i := range events {
		out[i] = events[i].ID.String()
	}
	return out
}

// field returns the value of the first field of that name.
func field(d event.Delivery, name string) string {
	for i := 0; i+1 < len(d.Fields); i += 2 {
		if d.Fields[i] == name {
			return d.Fields[i+1]
		}
	}
	return ""
}

func deliveredIDs(deliveries []event.Delivery) []string {
	out := make([]string, len(deliveries))
	for i, d := range deliveries {
		out[i] = field(d, event.FieldID)
	}
	return out
}

func entryIDs(deliveries []event.Delivery) []string {
	out := make([]string, len(deliveries))
	for i, d := range deliveries {
		out[i] = d.EntryID
	}
	return out
}

// say runs a Redis command as a person would type it.
func say(tb testing.TB, c *Client, command ...string) any {
	tb.Helper()
	if len(command) == 1 {
		command = strings.Fields(command[0])
	}
	reply := c.redis.Do(testContext(tb), c.redis.B().Arbitrary(command...).Build())
	value, err := reply.ToAny()
	require.NoError(tb, err, "%v", command)
	return value
}

func testContext(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

// onStream returns the event ids on the stream, in its order.
func onStream(tb testing.TB, c *Client) []string {
	tb.Helper()
	reply, err := c.redis.Do(testContext(tb), c.redis.B().Xrange().Key(c.cfg.Key).Start("-").End("+").Build()).ToMessage()
	require.NoError(tb, err)
	entries, err := parseEntries("XRANGE", reply)
	require.NoError(tb, err)
	return deliveredIDs(entries)
}

// refused fails the test unless err is one that the caller may try again, with
// that reason.
func refused(tb testing.TB, err error, reason string) {
	tb.Helper()
	var e *event.Error
	require.ErrorAs(tb, err, &e)
	require.Equal(tb, event.KindUnavailable, e.Kind)
	require.Equal(tb, retryAfter, e.RetryAfter)
	require.Equal(tb, reason, classify(e.Err).reason, "%v", err)
}

// recorder is a log handler that remembers messages.
type recorder struct {
	slog.Handler
	mu       sync.Mutex
	messages []string
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, rec.Level.String()+" "+rec.Message)
	return nil
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.messages, "\n")
}

// newPaused returns a Redis that accepts connections and answers nothing.
func newPaused(tb testing.TB) *servers.RedisServer {
	tb.Helper()
	server := servers.Redis(tb)
	require.NoError(tb, server.Pause())
	return server
}

// busy returns how many pipelines are in flight.
func busy(c *Client) int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.busy
}

// histogram returns how often h was observed, and the sum.
func histogram(tb testing.TB, h prometheus.Histogram) (count uint64, sum float64) {
	tb.Helper()
	var m dto.Metric
	require.NoError(tb, h.Write(&m))
	return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
}

func containsLine(text, line string) bool {
	return slices.Contains(strings.Split(text, "\r\n"), line)
}
