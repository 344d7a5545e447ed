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

// client is all that works on one partition, for one group.
type client struct {
	*Group
	conn      *Conn
	producer  *Producer
	dead      *DeadLetterStore
	inspector *Inspector
	tail      *Tail
}

// newClient returns a client of the Redis at url that is closed with the test.
// It publishes without having made sure of the group.
func newClient(tb testing.TB, url string, change ...func(*RedisConfig, *Config)) *client {
	tb.Helper()
	redis, cfg := DefaultRedisConfig(), DefaultConfig()
	redis.URL = url
	redis.Timeout, cfg.PublishTimeout = 20*time.Second, 20*time.Second // the machine may be busy
	for _, f := range change {
		f(&redis, &cfg)
	}
	conn, err := Open(redis, slog.New(slog.DiscardHandler))
	require.NoError(tb, err)
	c := newGroupOn(tb, conn, cfg, prometheus.NewRegistry())
	tb.Cleanup(c.Close)
	return c
}

func newGroupOn(tb testing.TB, conn *Conn, cfg Config, reg prometheus.Registerer) *client {
	tb.Helper()
	p, err := conn.Partition(0, cfg.Key, reg)
	require.NoError(tb, err)
	group, err := NewGroup(p, cfg.Group, cfg.GroupStart)
	require.NoError(tb, err)
	producer, err := NewProducer(p, cfg, group)
	require.NoError(tb, err)
	producer.ready.Store(true)
	inspector := NewInspector(p)
	inspector.Export(group.Name())
	return &client{
		Group: group, conn: conn, producer: producer,
		dead: NewDeadLetters(group), inspector: inspector, tail: NewTail(p),
	}
}

func (c *client) Publish(ctx context.Context, events []event.Event) error {
	return c.producer.Publish(ctx, events)
}

func (c *client) Ping(ctx context.Context) error { return c.conn.Ping(ctx) }

func (c *client) Stats(ctx context.Context) (Stats, error) { return c.inspector.Stats(ctx, c.name) }

func (c *client) Inspect(ctx context.Context) (Info, error) { return c.inspector.Inspect(ctx, c.name) }

func (c *client) Close() {
	c.producer.Close()
	c.conn.Close()
}

// withRedis starts a Redis and returns a client of it.
func withRedis(tb testing.TB, args ...string) (*client, *servers.RedisServer) {
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
func say(tb testing.TB, c *client, command ...string) any {
	tb.Helper()
	if len(command) == 1 {
		command = strings.Fields(command[0])
	}
	reply := c.conn.redis.Do(testContext(tb), c.conn.redis.B().Arbitrary(command...).Build())
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
func onStream(tb testing.TB, c *client) []string {
	tb.Helper()
	reply, err := c.conn.redis.Do(testContext(tb), c.conn.redis.B().Xrange().Key(c.p.key).Start("-").End("+").Build()).ToMessage()
	require.NoError(tb, err)
	entries, err := parseEntries("XRANGE", reply)
	require.NoError(tb, err)
	return deliveredIDs(entries)
}

// refused fails the test unless err is one that the caller may try again, with
// that reason.
func requireUnavailable(tb testing.TB, err error, reason string) {
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

// underWay returns how many pipelines are in flight.
func underWay(c *client) int { return c.producer.queue.Busy() }

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
