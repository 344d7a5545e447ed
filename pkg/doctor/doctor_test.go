package doctor

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

const (
	noRedis    = "redis://:hunter2@127.0.0.1:1"
	noDatabase = "postgres://me:hunter2@127.0.0.1:1/events?sslmode=disable"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// deployment is what an examination looks at.
type deployment struct {
	redis    stream.RedisConfig
	stream   stream.Config
	database store.Config
	spool    spool.Info
}

func newDeployment(redis, database string) deployment {
	d := deployment{redis: stream.DefaultRedisConfig(), stream: stream.DefaultConfig(), database: store.DefaultConfig(), spool: validSpool()}
	d.redis.URL, d.database.URL = redis, database
	return d
}

func (d deployment) examine(ctx context.Context) Report {
	return Examine(ctx, Sources{
		Redis: func(ctx context.Context) (stream.Info, error) {
			conn, err := stream.Open(d.redis, quiet())
			if err != nil {
				return stream.Info{}, err
			}
			defer conn.Close()
			partition, err := conn.Partition(0, d.stream.Key, nil)
			if err != nil {
				return stream.Info{}, err
			}
			return stream.NewInspector(partition).Inspect(ctx, d.stream.Group)
		},
		Database: func(ctx context.Context) (store.Info, error) {
			db, err := store.Open(d.database, quiet(), nil)
			if err != nil {
				return store.Info{}, err
			}
			defer func() { _ = db.Close() }()
			return db.Inspect(ctx)
		},
		Spool: func() (spool.Info, error) { return d.spool, nil },
	}, Settings{Database: d.database, Spool: spool.DefaultConfig()})
}

// migrate brings the schema up to date.
func (d deployment) migrate(t *testing.T) {
	t.Helper()
	db, err := store.Open(d.database, quiet(), nil)
	require.NoError(t, err)
	_, err = db.MigrateUp(t.Context())
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// One PostgreSQL serves all of these, because making one takes seconds.
func TestExamine(t *testing.T) {
	redis := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "512mb")
	postgres := servers.Postgres(t, "fsync=on")
	d := newDeployment(redis.URL(), postgres.URL())

	t.Run("before the schema", func(t *testing.T) {
		found := d.examine(t.Context())
		require.Equal(t, 1, found.Count(Problem), "%+v", found)
		require.Equal(t, "eventpulse migrate up", findingOf(found.Findings, "database.schema").Remedy)
	})
	t.Run("nothing is wrong", func(t *testing.T) {
		d.migrate(t)
		found := d.examine(t.Context())
		for _, f := range found.Findings {
			require.Equal(t, OK, f.Status, "%+v", f)
			require.Empty(t, f.Remedy)
		}
		for _, check := range []string{
			"redis.reachable", "redis.version", "redis.role", "redis.persistence", "redis.disk", "redis.eviction", "redis.memory", "redis.clock",
			"stream.key", "stream.group", "stream.dead_letters", "spool.dir", "spool.space",
			"database.reachable", "database.version", "database.role", "database.encoding", "database.schema", "database.durability",
			"database.connections", "database.clock",
		} {
			require.NotNil(t, findingOf(found.Findings, check), check)
		}
	})
	t.Run("one of them unreachable", func(t *testing.T) {
		found := newDeployment(noRedis, postgres.URL()).examine(t.Context())
		require.Equal(t, Problem, findingOf(found.Findings, "redis.reachable").Status)
		require.Contains(t, findingOf(found.Findings, "redis.reachable").Message, "127.0.0.1:1")
		require.Equal(t, OK, findingOf(found.Findings, "database.reachable").Status)

		found = newDeployment(redis.URL(), noDatabase).examine(t.Context())
		require.Equal(t, Problem, findingOf(found.Findings, "database.reachable").Status)
		require.Equal(t, OK, findingOf(found.Findings, "redis.persistence").Status)
	})
	t.Run("both hang", func(t *testing.T) {
		require.NoError(t, redis.Pause())
		require.NoError(t, postgres.Pause())
		hanging := d
		hanging.redis.Timeout, hanging.redis.DialTimeout, hanging.database.ConnectTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
		found := hanging.examine(t.Context())
		require.Equal(t, 2, found.Count(Problem), "%+v", found)
	})
}

func TestExamine_NamesNoPasswords(t *testing.T) {
	found := newDeployment(noRedis, noDatabase).examine(t.Context())
	require.Equal(t, 2, found.Count(Problem))
	for _, f := range found.Findings {
		require.NotContains(t, f.Message+f.Remedy, "hunter2")
	}
}

func TestExamine_SeesTheBacklog(t *testing.T) {
	d := newDeployment(servers.Redis(t).URL(), noDatabase)
	conn, err := stream.Open(d.redis, quiet())
	require.NoError(t, err)
	defer conn.Close()
	partition, err := conn.Partition(0, d.stream.Key, nil)
	require.NoError(t, err)
	group, err := stream.NewGroup(partition, d.stream.Group, "$")
	require.NoError(t, err)
	producer, err := stream.NewProducer(partition, d.stream, group)
	require.NoError(t, err)
	defer producer.Close()
	require.NoError(t, producer.Prepare(t.Context()))
	events := make([]event.Event, 3)
	for i := range events {
		events[i] = event.Event{ID: uuid.Must(uuid.NewV7()), Type: "t", Source: "s", Timestamp: time.Now().UTC(), Payload: "{}", Metadata: "{}"}
	}
	require.NoError(t, producer.Publish(t.Context(), events))

	found := d.examine(t.Context()).Findings
	require.Contains(t, findingOf(found, "stream.backlog").Message, "3 events")
	require.Equal(t, Warning, findingOf(found, "stream.consumers").Status)
}

func TestExamine_WithoutSpool(t *testing.T) {
	unreachable := func(context.Context) (stream.Info, error) { return stream.Info{}, context.DeadlineExceeded }
	found := Examine(t.Context(), Sources{
		Redis: unreachable,
		Database: func(context.Context) (store.Info, error) {
			return store.Info{SQLite: true, Migrations: []store.Migration{{Name: "0001"}}}, nil
		},
	}, Settings{})
	require.Equal(t, Warning, findingOf(found.Findings, "spool.dir").Status)
	require.Equal(t, Problem, findingOf(found.Findings, "database.schema").Status)
}
