package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

// doctorConfig is a configuration of servers that may not be there.
func doctorConfig(t *testing.T, redis, database string) config.Config {
	cfg := config.Default(config.Doctor)
	cfg.Redis.URL, cfg.Database.URL = redis, database
	cfg.Spool.Dir = filepath.Join(t.TempDir(), "spool")
	cfg.Spool.MaxBytes, cfg.Spool.MinFreeBytes = 1<<20, 1<<20
	return cfg
}

const (
	noRedis    = "redis://:hunter2@127.0.0.1:1"
	noDatabase = "postgres://me:hunter2@127.0.0.1:1/events?sslmode=disable"
)

// One PostgreSQL serves all of these, because making one takes seconds.
func TestExamine(t *testing.T) {
	redis := servers.Redis(t, "--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "512mb")
	postgres := servers.Postgres(t, "fsync=on")
	cfg := doctorConfig(t, redis.URL(), postgres.URL())

	t.Run("before the schema", func(t *testing.T) {
		found := Examine(t.Context(), cfg, quiet())
		require.Equal(t, 1, found.Count(LevelProblem))
		require.Equal(t, "eventpulse migrate up", topicOf(found.Findings, "database.schema").Change)
	})
	t.Run("nothing is wrong", func(t *testing.T) {
		require.NoError(t, migrate(t.Context(), cfg, quiet()))
		found := Examine(t.Context(), cfg, quiet())
		for _, f := range found.Findings {
			require.Equal(t, LevelOK, f.Level, "%+v", f)
			require.Empty(t, f.Change)
		}
		for _, topic := range []string{
			"redis.reachable", "redis.version", "redis.role", "redis.persistence", "redis.disk", "redis.eviction", "redis.memory", "redis.clock",
			"stream.key", "stream.group", "stream.dead_letters", "spool.dir", "spool.space",
			"database.reachable", "database.version", "database.role", "database.encoding", "database.schema", "database.durability",
			"database.connections", "database.clock", "database.timezone",
		} {
			require.NotNil(t, topicOf(found.Findings, topic), topic)
		}
	})
	t.Run("one side away", func(t *testing.T) {
		found := Examine(t.Context(), doctorConfig(t, noRedis, postgres.URL()), quiet())
		require.Equal(t, LevelProblem, topicOf(found.Findings, "redis.reachable").Level)
		require.Contains(t, topicOf(found.Findings, "redis.reachable").Found, "127.0.0.1:1")
		require.Equal(t, LevelOK, topicOf(found.Findings, "database.reachable").Level)

		found = Examine(t.Context(), doctorConfig(t, redis.URL(), noDatabase), quiet())
		require.Equal(t, LevelProblem, topicOf(found.Findings, "database.reachable").Level)
		require.Equal(t, LevelOK, topicOf(found.Findings, "redis.persistence").Level)

		found = Examine(t.Context(), doctorConfig(t, noRedis, noDatabase), quiet())
		require.Equal(t, 2, found.Count(LevelProblem))
		for _, f := range found.Findings {
			require.NotContains(t, f.Found, "hunter2")
		}
	})
	t.Run("both hang", func(t *testing.T) {
		require.NoError(t, redis.Pause())
		require.NoError(t, postgres.Pause())
		cfg := cfg
		cfg.Redis.Timeout, cfg.Redis.DialTimeout, cfg.Database.ConnectTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
		start := time.Now()
		found := Examine(t.Context(), cfg, quiet())
		require.Less(t, time.Since(start), 2*examineTimeout)
		require.Equal(t, 2, found.Count(LevelProblem), found.summary())
	})
}

func TestExamineSeesTheStreamAsItIs(t *testing.T) {
	redis := servers.Redis(t)
	cfg := doctorConfig(t, redis.URL(), noDatabase)
	client, err := stream.New(cfg.Redis, cfg.Stream, quiet(), nil)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.EnsureGroup(t.Context()))
	require.NoError(t, client.Publish(t.Context(), sampleEvents(3)))

	found := Examine(t.Context(), cfg, quiet()).Findings
	require.Contains(t, topicOf(found, "stream.backlog").Found, "3 events")
	require.Equal(t, LevelWarning, topicOf(found, "stream.consumers").Level)
}

func TestExamineSQLite(t *testing.T) {
	cfg := doctorConfig(t, noRedis, "sqlite:"+filepath.Join(t.TempDir(), "events.db"))
	require.Equal(t, LevelProblem, topicOf(Examine(t.Context(), cfg, quiet()).Findings, "database.reachable").Level)
	require.NoError(t, migrate(t.Context(), cfg, quiet()))
	found := Examine(t.Context(), cfg, quiet()).Findings
	require.Equal(t, LevelOK, topicOf(found, "database.schema").Level)
	require.Equal(t, LevelWarning, topicOf(found, "database.kind").Level)
}

func TestDiagnosisIsWrittenForPeopleAndPrograms(t *testing.T) {
	d := Diagnosis{[]Finding{
		{LevelOK, "redis.version", "Redis 7", ""},
		{LevelProblem, "redis.persistence", "none <here>", "do & mend"},
		{LevelWarning, "a.b", "c", "d"}, {LevelWarning, "a.c", "c", "d"},
	}}
	var text bytes.Buffer
	require.NoError(t, d.WriteText(&text))
	require.Equal(t, `ok       redis.version      Redis 7
problem  redis.persistence  none <here>
                            -> do & mend
warning  a.b                c
                            -> d
warning  a.c                c
                            -> d

1 problem, 2 warnings, 1 ok
`, text.String())

	var out bytes.Buffer
	require.NoError(t, d.WriteJSON(&out))
	require.Contains(t, out.String(), "none <here>")
	var read struct {
		Problems, Warnings, OK int
		Findings               []Finding
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Equal(t, d.Findings, read.Findings)
	require.Equal(t, 1, read.Problems)
	require.Equal(t, 2, read.Warnings)
}

func TestJudgeSpool(t *testing.T) {
	cfg := spool.DefaultConfig()
	cfg.Dir, cfg.MaxBytes, cfg.MinFreeBytes = "x", 1<<30, 256<<20
	fine := spoolFacts{dir: "/var/spool", exists: true, disk: disk{free: 10 << 30, total: 100 << 30, writable: true}, segments: 1, bytes: 5 << 20}
	for _, tt := range []struct {
		name   string
		change func(*spoolFacts)
		topic  string
		level  Level
		says   string
	}{
		{"fine", func(*spoolFacts) {}, "spool.dir", LevelOK, "5.0 MiB in 1 file"},
		{"not there yet", func(f *spoolFacts) { f.exists = false }, "spool.dir", LevelOK, "does not exist yet"},
		{"somebody else's", func(f *spoolFacts) { f.disk.writable = false }, "spool.dir", LevelProblem, "chown"},
		{"in memory", func(f *spoolFacts) { f.disk.memory = true }, "spool.disk", LevelWarning, "in memory"},
		{"room", func(*spoolFacts) {}, "spool.space", LevelOK, "10 GiB free"},
		{"little room", func(f *spoolFacts) { f.disk.free = 1 << 30 }, "spool.space", LevelWarning, "full before"},
		{"its own bytes count as room", func(f *spoolFacts) { f.disk.free, f.bytes = 1<<30, 512<<20 }, "spool.space", LevelOK, ""},
		{"no room", func(f *spoolFacts) { f.disk.free = 100 << 20 }, "spool.space", LevelProblem, "nothing now"},
		{"a small disk keeps a tenth", func(f *spoolFacts) { f.disk.free, f.disk.total = 23<<20, 24<<20 }, "spool.space", LevelWarning, "2.4 MiB"},
		{"not told", func(f *spoolFacts) { f.disk.free = -1 }, "spool.space", LevelUnknown, "not told"},
		{"corrupt", func(f *spoolFacts) { f.corrupt = 2 }, "spool.corrupt", LevelWarning, "2 pieces could not be read and are"},
	} {
		f := fine
		tt.change(&f)
		requireFinding(t, tt.name, judgeSpool(f, cfg), tt.topic, tt.level, tt.says)
	}
	cfg.Dir = ""
	requireFinding(t, "none", examineSpool(cfg), "spool.dir", LevelWarning, "503")
}

func TestInspectSpool(t *testing.T) {
	dir := t.TempDir()
	cfg := spool.DefaultConfig()
	cfg.Dir = filepath.Join(dir, "a", "b")
	f, err := inspectSpool(cfg.Dir)
	require.NoError(t, err)
	require.False(t, f.exists)
	require.True(t, f.disk.writable)
	require.Positive(t, f.disk.free)

	s, err := spool.Open(cfg, nil, quiet(), nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "00000000000000000001.seg"), make([]byte, 1000), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(cfg.Dir, "corrupt"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "corrupt", "x.bad"), nil, 0o600))
	f, err = inspectSpool(cfg.Dir)
	require.NoError(t, err)
	require.True(t, f.exists)
	require.Equal(t, 1, f.segments)
	require.EqualValues(t, 1000, f.bytes)
	require.Equal(t, 1, f.corrupt)

	cfg.Dir = filepath.Join(dir, "file", "spool")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	requireFinding(t, "a file in the way", examineSpool(cfg), "spool.dir", LevelProblem, "not a directory")
}

func topicOf(found []Finding, topic string) *Finding {
	for i := range found {
		if found[i].Topic == topic {
			return &found[i]
		}
	}
	return nil
}

func requireFinding(t *testing.T, name string, found findings, topic string, level Level, says string) {
	t.Helper()
	f := topicOf(found, topic)
	require.NotNil(t, f, "%s: %+v", name, found)
	require.Equal(t, level, f.Level, "%s: %+v", name, *f)
	require.Contains(t, f.Found+" "+f.Change, says, name)
	if level != LevelUnknown {
		require.Equal(t, level != LevelOK, f.Change != "", "%s: %+v", name, *f)
	}
	for _, f := range found {
		require.False(t, strings.ContainsAny(f.Found+f.Change, "\n\t"), "%s: %+v", name, f)
		require.NotContains(t, f.Found+f.Change, "%!", name)
	}
}
