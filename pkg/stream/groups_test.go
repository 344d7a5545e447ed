package stream

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/servers"
)

// twoGroups is a partition with two groups in one process, on one registry.
type twoGroups struct {
	conn     *Conn
	p        *Partition
	reg      *prometheus.Registry
	producer *Producer
	rows     *Group
	rules    *Group
	dead     *DeadLetterStore
}

func newTwoGroups(t *testing.T) *twoGroups {
	t.Helper()
	redis, cfg := DefaultRedisConfig(), DefaultConfig()
	redis.URL = servers.Redis(t).URL()
	redis.Timeout, cfg.PublishTimeout = 20*time.Second, 20*time.Second
	g := &twoGroups{reg: prometheus.NewRegistry()}
	var err error
	g.conn, err = Open(redis, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(g.conn.Close)
	g.p, err = g.conn.Partition(0, cfg.Key, g.reg)
	require.NoError(t, err)
	g.rows, err = NewGroup(g.p, "rows", "$")
	require.NoError(t, err)
	g.rules, err = NewGroup(g.p, "rules", "$")
	require.NoError(t, err)
	g.producer, err = NewProducer(g.p, cfg, g.rows, g.rules)
	require.NoError(t, err)
	t.Cleanup(g.producer.Close)
	g.dead = NewDeadLetters(g.rows)
	NewInspector(g.p).Export("rows", "rules")
	require.NoError(t, g.producer.Prepare(testContext(t)))
	return g
}

// read returns what a group is given at once.
func read(t *testing.T, g *Group, consumer string) []event.Delivery {
	t.Helper()
	got, err := g.Read(testContext(t), consumer, 1000, 0)
	require.NoError(t, err)
	return got
}

func TestGroups_EachIsGivenEveryEntry(t *testing.T) {
	g := newTwoGroups(t)
	events := sample(0, 20)
	require.NoError(t, g.producer.Publish(testContext(t), events))
	for _, group := range []*Group{g.rows, g.rules} {
		got := read(t, group, "a")
		require.Equal(t, ids(events), deliveredIDs(got))
		for _, d := range got {
			require.Equal(t, group.Name(), d.Group)
			require.Zero(t, d.Partition)
		}
	}
}

func TestGroups_HaveMetricsOfTheirOwnOnOneRegistry(t *testing.T) {
	g := newTwoGroups(t)
	ctx := testContext(t)
	require.NoError(t, g.producer.Publish(ctx, sample(0, 10)))
	got := read(t, g.rows, "a")
	_, err := g.rows.Ack(ctx, entryIDs(got[:7]))
	require.NoError(t, err)
	require.NoError(t, g.rows.DeadLetter(ctx, rejections(got[7])))
	got = read(t, g.rules, "a")
	_, err = g.rules.Ack(ctx, entryIDs(got[:2]))
	require.NoError(t, err)
	say(t, &client{conn: g.conn}, "XGROUP", "DESTROY", g.p.key, "rules")
	_, err = g.rules.Read(ctx, "a", 1, 0)
	requireUnavailable(t, err, reasonNoGroup)
	require.NoError(t, g.rules.EnsureGroup(ctx))

	value := func(name, group string) float64 {
		families, err := g.reg.Gather()
		require.NoError(t, err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				labels := map[string]string{}
				for _, l := range m.GetLabel() {
					labels[l.GetName()] = l.GetValue()
				}
				if f.GetName() == name && labels["group"] == group {
					require.Equal(t, "0", labels["partition"])
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
		t.Fatalf("no metric %s of %s", name, group)
		return 0
	}
	for _, tc := range []struct {
		name        string
		rows, rules float64
	}{
		{"eventpulse_stream_acked_entries_total", 7, 2},
		{"eventpulse_stream_dead_lettered_entries_total", 1, 0},
		{"eventpulse_stream_groups_recreated_total", 0, 1},
		{"eventpulse_stream_pending_entries", 2, 0},
		{"eventpulse_stream_backlog_entries", 0, 10},
		{"eventpulse_stream_consumers", 1, 0},
	} {
		require.InDelta(t, tc.rows, value(tc.name, "rows"), 0, tc.name)
		require.InDelta(t, tc.rules, value(tc.name, "rules"), 0, tc.name)
	}
	require.InDelta(t, 1, value("eventpulse_stream_errors_total", "rules"), 0)
}

func TestGroup_IsTakenOnceByARegistry(t *testing.T) {
	g := newTwoGroups(t)
	require.Panics(t, func() { _, _ = NewGroup(g.p, "rows", "$") })
}

// An entry replayed for one group must not be processed by another.
func TestReplay_ReachesOnlyTheGroupThatDeadLettered(t *testing.T) {
	g := newTwoGroups(t)
	ctx := testContext(t)
	events := sample(0, 5)
	require.NoError(t, g.producer.Publish(ctx, events))
	rows, rules := read(t, g.rows, "a"), read(t, g.rules, "a")
	require.NoError(t, g.rules.DeadLetter(ctx, rejections(rules[1], rules[2])))
	_, err := g.rules.Ack(ctx, entryIDs(rules))
	require.NoError(t, err)
	_, err = g.rows.Ack(ctx, entryIDs(rows))
	require.NoError(t, err)

	letters, err := g.dead.List(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 2)
	require.Equal(t, "rules", letters[0].Group)
	n, err := g.dead.Replay(ctx, letters...)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	fresh := sample(5, 1)
	require.NoError(t, g.producer.Publish(ctx, fresh))

	require.Equal(t, ids(fresh), deliveredIDs(read(t, g.rows, "a")), "what is for another group is skipped")
	again := read(t, g.rules, "a")
	require.Equal(t, append(ids(events[1:3]), ids(fresh)...), deliveredIDs(again))
	back, err := event.FromFields(again[0].Fields)
	require.NoError(t, err)
	require.Equal(t, events[1], back, "the mark is none of the event")
	require.InDelta(t, 2, testutil.ToFloat64(g.rows.metrics.skipped), 0)
	require.Zero(t, testutil.ToFloat64(g.rules.metrics.skipped))
	inspector := &Inspector{g.p}
	s, err := inspector.Stats(ctx, "rows")
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Pending, "what was skipped is acknowledged")

	// Dead-lettered again it is marked once, for whoever did it.
	require.NoError(t, g.rules.DeadLetter(ctx, rejections(again[0])))
	letters, err = g.dead.List(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	_, err = g.dead.Replay(ctx, letters...)
	require.NoError(t, err)
	require.Equal(t, again[0].Fields, read(t, g.rules, "a")[0].Fields)
	require.Empty(t, read(t, g.rows, "a"))
}

// A reply that was lost leaves what is for another group pending, and it may be
// claimed: it is skipped there as well, and never taken for the end.
func TestReplay_IsSkippedAmongPendingAndClaimedEntries(t *testing.T) {
	g := newTwoGroups(t)
	ctx := testContext(t)
	require.NoError(t, g.producer.Publish(ctx, sample(0, 30)))
	for _, group := range []*Group{g.rows, g.rules} {
		got := read(t, group, "a")
		if group == g.rules {
			require.NoError(t, g.rules.DeadLetter(ctx, rejections(got...)))
		}
		_, err := group.Ack(ctx, entryIDs(got))
		require.NoError(t, err)
	}
	letters, err := g.dead.List(ctx, "", 100)
	require.NoError(t, err)
	_, err = g.dead.Replay(ctx, letters...)
	require.NoError(t, err)
	fresh := sample(30, 1)
	require.NoError(t, g.producer.Publish(ctx, fresh))
	for _, consumer := range []string{"a", "b"} {
		say(t, &client{conn: g.conn}, "XREADGROUP", "GROUP", "rows", consumer, "COUNT", "15", "STREAMS", g.p.key, ">")
	}
	say(t, &client{conn: g.conn}, "XREADGROUP", "GROUP", "rows", "a", "COUNT", "15", "STREAMS", g.p.key, ">")

	page, err := g.rows.Pending(ctx, "a", "0", 4)
	require.NoError(t, err)
	require.Equal(t, ids(fresh), deliveredIDs(page), "behind pages of nothing but others'")
	for cursor := scanStart; ; {
		page, next, err := g.rows.Claim(ctx, "c", 0, cursor, 4)
		require.NoError(t, err)
		for _, id := range deliveredIDs(page) {
			require.Equal(t, fresh[0].ID.String(), id)
		}
		if cursor = next; cursor == scanStart {
			break
		}
	}
	require.InDelta(t, 30, testutil.ToFloat64(g.rows.metrics.skipped), 0)
	require.Len(t, read(t, g.rules, "a"), 30+1)
}

func TestReplay_NeedsNoMarkWithOneGroup(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	got := given(t, c, "a", 1)
	require.NoError(t, c.DeadLetter(ctx, rejections(got...)))
	_, err := c.dead.Replay(ctx, deadLetters(t, c)...)
	require.NoError(t, err)
	again, err := c.Read(ctx, "a", 1, 0)
	require.NoError(t, err)
	require.Equal(t, got[0].Fields, again[0].Fields)
}

// Nobody would be given such an entry, and it would be trimmed.
func TestReplay_FailsForAGroupThatIsGone(t *testing.T) {
	g := newTwoGroups(t)
	ctx := testContext(t)
	require.NoError(t, g.producer.Publish(ctx, sample(0, 2)))
	require.NoError(t, g.rules.DeadLetter(ctx, rejections(read(t, g.rules, "a")...)))
	say(t, &client{conn: g.conn}, "XGROUP", "DESTROY", g.p.key, "rules")
	letters, err := g.dead.List(ctx, "", 10)
	require.NoError(t, err)
	_, err = g.dead.Replay(ctx, letters...)
	requireUnavailable(t, err, reasonNoGroup)
	require.ErrorContains(t, err, "rules")
	n, _, err := g.dead.Range(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
}

// As earlier versions wrote them: without a group, and under other names.
func TestDeadLetters_OfEarlierVersionsAreReadAndReplayed(t *testing.T) {
	g := newTwoGroups(t)
	ctx := testContext(t)
	e := sample(0, 1)[0]
	about := func(at string) []string {
		return []string{
			"dlq_reason", "rejected", "dlq_code", "22P05", "dlq_message", "m", "dlq_first_seen", "2026-01-02T03:04:05Z",
			"dlq_entry_id", "1767323045000-0", at, "2026-01-02T03:04:06Z", "dlq_deliveries", "2",
		}
	}
	for _, fields := range [][]string{
		append(e.AppendFields(nil), about("dlq_buried_at")...),
		append(e.AppendFields(nil), about("dlq_dead_lettered_at")...),
		append([]string{"dlq_fields", "1:k1:v"}, about("dlq_buried_at")...),
	} {
		say(t, &client{conn: g.conn}, append([]string{"XADD", g.p.dlqKey, "*"}, fields...)...)
	}
	letters, err := g.dead.List(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 3)
	for i, want := range [][]string{e.AppendFields(nil), e.AppendFields(nil), {"k", "v"}} {
		l := letters[i]
		require.Equal(t, want, l.Fields)
		require.Empty(t, l.Group)
		require.Equal(t, time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC), l.DeadLetteredAt)
		require.EqualValues(t, 2, l.Deliveries)
		require.Equal(t, "1767323045000-0", l.EntryID)
	}
	_, err = g.dead.Replay(ctx, letters...)
	require.NoError(t, err)
	require.Len(t, read(t, g.rows, "a"), 3, "they were of the one group there was")
	require.Empty(t, read(t, g.rules, "a"))
}

func TestTrim_WaitsForTheSlowestGroup(t *testing.T) {
	g := newTwoGroups(t)
	ctx := testContext(t)
	require.NoError(t, g.producer.Publish(ctx, sample(0, 500)))
	_, err := g.rows.Ack(ctx, entryIDs(read(t, g.rows, "a")))
	require.NoError(t, err)
	n, err := g.rows.Trim(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = g.rules.Ack(ctx, entryIDs(read(t, g.rules, "a")))
	require.NoError(t, err)
	n, err = g.rows.Trim(ctx)
	require.NoError(t, err)
	require.Positive(t, n)
}

func TestProducer_PublishesNothingBeforeEveryGroupExists(t *testing.T) {
	redis := DefaultRedisConfig()
	server := servers.Redis(t)
	redis.URL = server.URL()
	conn, err := Open(redis, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	p, err := conn.Partition(0, "events_stream", nil)
	require.NoError(t, err)
	rows, err := NewGroup(p, "rows", "$")
	require.NoError(t, err)
	rules, err := NewGroup(p, "rules", "$")
	require.NoError(t, err)
	producer, err := NewProducer(p, DefaultConfig(), rows, rules)
	require.NoError(t, err)
	t.Cleanup(producer.Close)
	ctx := testContext(t)

	// One group and the stream are there; the other would start behind.
	require.NoError(t, rows.EnsureGroup(ctx))
	require.Error(t, producer.Check(ctx))
	requireUnavailable(t, producer.Publish(ctx, sample(0, 1)), reasonNoGroup)
	require.Empty(t, read(t, rows, "a"))

	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); producer.Run(run) }()
	require.Eventually(t, func() bool { return producer.Check(ctx) == nil }, 30*time.Second, time.Millisecond)
	stop()
	<-done
	events := sample(0, 3)
	require.NoError(t, producer.Publish(ctx, events))
	require.Equal(t, ids(events), deliveredIDs(read(t, rules, "a")))
}

func TestProducer_RunWaitsForRedis(t *testing.T) {
	server := servers.Redis(t)
	require.NoError(t, server.Stop())
	c := newClient(t, server.URL())
	c.producer.ready.Store(false)
	run, stop := context.WithCancel(testContext(t))
	done := make(chan struct{})
	go func() { defer close(done); c.producer.Run(run) }()
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { return c.Publish(run, sample(0, 1)) == nil }, 30*time.Second, 5*time.Millisecond)
	stop()
	<-done
}

func TestProducer_CheckSaysWhyTheLatestEventsWereNotPublished(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	require.NoError(t, c.EnsureGroup(ctx))
	require.NoError(t, c.producer.Check(ctx))
	say(t, c, "CONFIG", "SET", "maxmemory", "1")
	require.Error(t, c.Publish(ctx, sample(0, 1)))
	requireUnavailable(t, c.producer.Check(ctx), "out_of_memory")
	say(t, c, "CONFIG", "SET", "maxmemory", "0")
	require.NoError(t, c.Publish(ctx, sample(0, 1)))
	require.NoError(t, c.producer.Check(ctx))

	c.producer.failure.Store(&publishFailure{errNotReady, time.Now().Add(-failureAge)})
	require.NoError(t, c.producer.Check(ctx), "who is not ready is not asked to publish")
}
