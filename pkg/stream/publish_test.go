package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestPublish_KeepsOrder(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	one, batch, last := sample(0, 1), sample(1, 1200), sample(1201, 1)
	for _, events := range [][]event.Event{one, batch, nil, last} {
		require.NoError(t, c.Publish(ctx, events))
	}
	want := append(append(ids(one), ids(batch)...), ids(last)...)
	require.Equal(t, want, onStream(t, c))
	require.InDelta(t, 1202, testutil.ToFloat64(c.producer.metrics.published), 0)
	require.Zero(t, testutil.ToFloat64(c.producer.metrics.queuedEvents))
}

func TestPublish_EventComesBackWhole(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	events := sample(0, 1)
	events[0].Payload = `{"a":"\\u0000 ` + "\u2028 \U0001F600 é" + `","n":123456789012345678901234567890.10}`
	require.NoError(t, c.Publish(ctx, events))
	got, err := c.Read(ctx, "a", 10, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 1)
	back, err := event.FromFields(got[0].Fields)
	require.NoError(t, err)
	require.Equal(t, events[0], back)
}

// Requests that come while pipelines are in flight share the next one.
func TestPublish_ConcurrentRequestsShareAPipeline(t *testing.T) {
	c, server, occupy := withOccupiedFlushers(t)
	const publishers = 300
	wait := occupy(publishers, 2)
	require.NoError(t, server.Resume())
	for _, err := range wait() {
		require.NoError(t, err)
	}
	const events = flushers + 2*publishers
	require.Len(t, onStream(t, c), events)
	pipelines, sent := histogram(t, c.producer.metrics.pipelineEvents)
	require.InDelta(t, events, sent, 0)
	require.LessOrEqual(t, pipelines, uint64(flushers+2*publishers/pipelineEvents+flushers))
}

// withOccupiedFlushers returns a client of a frozen Redis. The function it
// returns puts every flusher to work and requests of so many events behind
// them into the queue; the one that this returns waits for all answers.
func withOccupiedFlushers(t *testing.T) (*client, *servers.RedisServer, func(requests, events int) func() []error) {
	t.Helper()
	server := servers.Redis(t)
	c := newClient(t, server.URL())
	require.NoError(t, c.EnsureGroup(testContext(t)))
	require.NoError(t, server.Pause())
	return c, server, func(requests, events int) func() []error {
		var wg sync.WaitGroup
		errs := make([]error, flushers+requests)
		publish := func(i, events int) {
			wg.Go(func() { errs[i] = c.Publish(context.Background(), sample(i, events)) })
		}
		for i := range flushers {
			publish(i, 1)
			require.Eventually(t, func() bool { return underWay(c) == i+1 }, 5*time.Second, time.Millisecond)
		}
		for i := range requests {
			publish(flushers+i, events)
		}
		require.Eventually(t, func() bool {
			return c.producer.queue.Held().Items == requests*events
		}, 5*time.Second, time.Millisecond)
		return func() []error { wg.Wait(); return errs }
	}
}

func TestPublish_SaysWhyRedisRejects(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	for _, tc := range []struct {
		reason, code   string
		provoke, amend [][]string
	}{
		{"wrong_type", "WRONGTYPE", [][]string{{"SET", c.p.key, "x"}}, [][]string{{"DEL", c.p.key}}},
		{"out_of_memory", "OOM", [][]string{{"CONFIG", "SET", "maxmemory", "1"}}, [][]string{{"CONFIG", "SET", "maxmemory", "0"}}},
		{"no_replicas", "NOREPLICAS", [][]string{{"CONFIG", "SET", "min-replicas-to-write", "1"}}, [][]string{{"CONFIG", "SET", "min-replicas-to-write", "0"}}},
		{"read_only", "READONLY", [][]string{{"REPLICAOF", "127.0.0.1", "1"}}, [][]string{{"REPLICAOF", "NO", "ONE"}}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			for _, command := range tc.provoke {
				say(t, c, command...)
			}
			before := testutil.ToFloat64(c.p.metrics.errors.WithLabelValues(opPublish, tc.reason, ""))
			err := c.Publish(ctx, sample(0, 3))
			requireUnavailable(t, err, tc.reason)
			var e *event.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.code, e.Code)
			require.InDelta(t, before+1, testutil.ToFloat64(c.p.metrics.errors.WithLabelValues(opPublish, tc.reason, "")), 0)
			require.Eventually(t, func() bool { return c.Ping(ctx) == nil }, 5*time.Second, 5*time.Millisecond)
			for _, command := range tc.amend {
				say(t, c, command...)
			}
			require.NoError(t, c.Publish(ctx, sample(0, 1)), "publishing goes on once the cause is gone")
		})
	}
}

func TestClassifyReply(t *testing.T) {
	for text, want := range map[string]failure{
		"LOADING Redis is loading the dataset in memory":                                {"loading", "LOADING", "Redis is loading its data"},
		"MISCONF Redis is configured to save RDB snapshots, but it's unable to persist": {"misconf", "MISCONF", "Redis cannot save to disk and rejects writes"},
		"NOGROUP No such key 'k' or consumer group":                                     {"no_group", "NOGROUP", "the consumer group does not exist"},
		"UNBLOCKED the stream key no longer exists":                                     {"no_group", "UNBLOCKED", "the consumer group does not exist"},
		"no such key":        {"other", "ERR", "Redis rejected the command"},
		"SOMETHING nobody h": {"other", "SOMETHING", "Redis rejected the command"},
	} {
		require.Equal(t, want, classifyReply(text), text)
	}
}

// defaultTimeouts sets the times of production.
func defaultTimeouts(redis *RedisConfig, cfg *Config) {
	redis.Timeout, cfg.PublishTimeout = DefaultRedisConfig().Timeout, DefaultConfig().PublishTimeout
}

func TestPublish_EndsWithItsContext(t *testing.T) {
	server := servers.Redis(t)
	c := newClient(t, server.URL(), defaultTimeouts)
	ctx, cancel := context.WithCancel(testContext(t))
	require.NoError(t, c.Ping(ctx))
	require.NoError(t, server.Pause())
	done := make(chan error, 1)
	go func() { done <- c.Publish(ctx, sample(0, 1)) }()
	require.Eventually(t, func() bool { return underWay(c) == 1 }, time.Second, time.Millisecond)
	cancel()
	err := <-done // long before its own time limit
	requireUnavailable(t, err, reasonCanceled)
	require.ErrorIs(t, err, context.Canceled)
	requireUnavailable(t, c.Publish(ctx, sample(0, 1)), reasonCanceled)
}

func TestPublish_QueueIsBounded(t *testing.T) {
	server := newPaused(t)
	for name, change := range map[string]func(*RedisConfig, *Config){
		"events": func(_ *RedisConfig, cfg *Config) { cfg.QueueEvents = 10 },
		"bytes":  func(_ *RedisConfig, cfg *Config) { cfg.QueueBytes = 10 * 350 },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, server.URL(), defaultTimeouts, change, func(_ *RedisConfig, cfg *Config) { cfg.PublishTimeout = 300 * time.Millisecond })
			var wg sync.WaitGroup
			var mu sync.Mutex
			reasons := map[string]int{}
			for i := range 100 {
				wg.Go(func() {
					err := c.Publish(context.Background(), sample(i, 1))
					mu.Lock()
					defer mu.Unlock()
					reasons[classify(err).reason]++
				})
			}
			wg.Wait()
			require.Equal(t, 100, reasons[reasonQueueFull]+reasons[reasonTimeout], "%v", reasons)
			require.LessOrEqual(t, reasons[reasonTimeout], 10+flushers*10)
			require.NotZero(t, reasons[reasonQueueFull])
		})
	}
}

// A request larger than the whole queue is taken when nothing else waits.
func TestPublish_TakesARequestLargerThanTheQueue(t *testing.T) {
	c := newClient(t, servers.Redis(t).URL(), func(_ *RedisConfig, cfg *Config) { cfg.QueueEvents = 10 })
	require.NoError(t, c.Publish(testContext(t), sample(0, 5000)))
	require.Len(t, onStream(t, c), 5000)
}

func TestProducer_CloseSendsWhatIsQueued(t *testing.T) {
	c, server, occupy := withOccupiedFlushers(t)
	reader := newClient(t, server.URL())
	wait := occupy(50, 1)
	closed := make(chan struct{})
	go func() { c.Close(); close(closed) }()
	require.Eventually(t, func() bool {
		return errors.Is(c.producer.queue.Enqueue(nil, coalesce.Size{}), coalesce.ErrClosed)
	}, 5*time.Second, time.Millisecond)
	requireUnavailable(t, c.Publish(context.Background(), sample(0, 1)), reasonClosed)
	require.NoError(t, server.Resume())
	for _, err := range wait() {
		require.NoError(t, err)
	}
	<-closed
	require.Len(t, onStream(t, reader), flushers+50)

	requireUnavailable(t, c.Ping(context.Background()), reasonClosed)
	c.Close() // again is nothing
}

// Close does not wait for ever for a Redis that does not answer.
func TestClose_EndsWhileRedisHangs(t *testing.T) {
	c := newClient(t, newPaused(t).URL(), defaultTimeouts)
	done := make(chan error, 1)
	go func() { done <- c.Publish(context.Background(), sample(0, 1)) }()
	reading := make(chan error, 1)
	go func() { _, err := c.Read(context.Background(), "a", 1, time.Minute); reading <- err }()
	require.Eventually(t, func() bool { return underWay(c) == 1 }, 5*time.Second, time.Millisecond)
	c.Close()
	require.Error(t, <-done)
	require.Error(t, <-reading)
}

func TestPublish_ConfirmedOnceThroughClientKills(t *testing.T) {
	c, server := withRedis(t)
	killer := newClient(t, server.URL())
	ctx := testContext(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	confirmed := map[string]bool{}
	failures := 0
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				events := sample(i, 3)
				err := c.Publish(ctx, events)
				mu.Lock()
				if err != nil {
					failures++
				} else {
					for _, id := range ids(events) {
						confirmed[id] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	for range 30 {
		say(t, killer, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		say(t, killer, "PING")
	}
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(confirmed) > 3000 }, 20*time.Second, time.Millisecond)
	close(stop)
	wg.Wait()
	seen := map[string]int{}
	for _, id := range onStream(t, killer) {
		seen[id]++
	}
	for id := range confirmed {
		require.Equal(t, 1, seen[id], fmt.Sprint("confirmed event ", id))
	}
	for id, n := range seen {
		require.Equal(t, 1, n, fmt.Sprint("nothing is sent twice by itself: ", id))
	}
	t.Logf("%d confirmed, %d requests failed", len(confirmed), failures)
}
