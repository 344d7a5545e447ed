package app

import (
	"errors"
	"testing"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// goodRedis is a server on which nothing is to be changed.
func goodRedis() stream.Info {
	return stream.Info{
		Address: "redis:6379", Latency: 200 * time.Microsecond, ClockWithin: 100 * time.Microsecond,
		Server: stream.ServerInfo{
			Told: true, SettingsTold: true, Version: "7.0.15", Mode: "standalone", GoodReplicas: -1,
			UsedMemory: 100 << 20, MaxMemory: 1 << 30, MachineMemory: 4 << 30, MaxMemoryPolicy: "noeviction",
			AppendOnly: true, LastAppend: "ok", LastRewrite: "ok", LastSnapshot: "ok",
			Settings: map[string]string{"appendfsync": "always", "no-appendfsync-on-rewrite": "no", "stop-writes-on-bgsave-error": "yes", "save": "", "min-replicas-to-write": "0"},
		},
		Stream: stream.StreamInfo{
			Key: "events_stream", Type: "stream", DeadLetterKey: "{events_stream}:dlq", DeadLetterType: "none", GroupName: "event_persister",
			Stats:   stream.Stats{Length: 10, Group: true, Consumers: 1, LastDelivered: "1700000000000-5", Backlog: 3, BacklogExact: true, Pending: 2},
			Members: []stream.Member{{Name: "w1", Pending: 2, Idle: time.Second}},
		},
	}
}

func TestJudgeRedis(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*stream.Info, *stream.ServerInfo)
		topic  string
		level  Level
		says   string
	}{
		{"reachable", nil, "redis.reachable", LevelOK, "redis:6379"},
		{"version", nil, "redis.version", LevelOK, "7.0.15"},
		{"version 8", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "8.2.0" }, "redis.version", LevelOK, ""},
		{"version 6.2", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "6.2.14" }, "redis.version", LevelWarning, "7"},
		{"version 6.0", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "6.0.16" }, "redis.version", LevelProblem, "XAUTOCLAIM"},
		{"version 5", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "5.0.3" }, "redis.version", LevelProblem, "XAUTOCLAIM"},
		{"no version", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "" }, "redis.version", LevelUnknown, ""},
		{"cluster", func(_ *stream.Info, s *stream.ServerInfo) { s.Mode = "cluster" }, "redis.cluster", LevelWarning, "slot"},
		{"silent", func(_ *stream.Info, s *stream.ServerInfo) { *s = stream.ServerInfo{} }, "redis.server", LevelUnknown, "+info"},

		{"primary", nil, "redis.role", LevelOK, "primary"},
		{"replica", func(_ *stream.Info, s *stream.ServerInfo) { s.Replica, s.Primary = true, "other:6379" }, "redis.role", LevelProblem, "other:6379"},
		{"replicas missing", func(_ *stream.Info, s *stream.ServerInfo) {
			s.GoodReplicas, s.Settings["min-replicas-to-write"] = 0, "1"
		}, "redis.role", LevelProblem, "min-replicas-to-write 0"},
		{"replicas there", func(_ *stream.Info, s *stream.ServerInfo) {
			s.Replicas, s.GoodReplicas, s.Settings["min-replicas-to-write"] = 2, 2, "1"
		}, "redis.role", LevelOK, "2 replicas"},
		{"replicas not waited for", func(_ *stream.Info, s *stream.ServerInfo) { s.Replicas = 1 }, "redis.role", LevelWarning, "min-replicas-to-write 1"},

		{"synced", nil, "redis.persistence", LevelOK, "before each reply"},
		{"no file", func(_ *stream.Info, s *stream.ServerInfo) { s.AppendOnly = false }, "redis.persistence", LevelProblem, "redis-cli CONFIG SET appendonly yes"},
		{"everysec", func(_ *stream.Info, s *stream.ServerInfo) { s.Settings["appendfsync"] = "everysec" }, "redis.persistence", LevelWarning, "appendfsync always"},
		{"never", func(_ *stream.Info, s *stream.ServerInfo) { s.Settings["appendfsync"] = "no" }, "redis.persistence", LevelProblem, "appendfsync always"},
		{"not while rewriting", func(_ *stream.Info, s *stream.ServerInfo) { s.Settings["no-appendfsync-on-rewrite"] = "yes" }, "redis.persistence", LevelWarning, "no-appendfsync-on-rewrite no"},
		{"CONFIG forbidden", func(_ *stream.Info, s *stream.ServerInfo) { s.SettingsTold, s.Settings = false, nil }, "redis.persistence", LevelUnknown, "CONFIG"},
		{"CONFIG forbidden, no file", func(_ *stream.Info, s *stream.ServerInfo) {
			s.SettingsTold, s.Settings, s.AppendOnly = false, nil, false
		}, "redis.persistence", LevelProblem, "where this server is configured"},

		{"disk", nil, "redis.disk", LevelOK, ""},
		{"append failed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastAppend = "err" }, "redis.disk", LevelProblem, "df -h"},
		{"rewrite failed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastRewrite = "err" }, "redis.disk", LevelWarning, "rewrite"},
		{"snapshot failed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastSnapshot = "err" }, "redis.disk", LevelWarning, "snapshot"},
		{"snapshot failed and needed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastSnapshot, s.Settings["save"] = "err", "60 1" }, "redis.disk", LevelProblem, "refused"},

		{"eviction", nil, "redis.eviction", LevelOK, ""},
		{"volatile", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemoryPolicy = "volatile-lru" }, "redis.eviction", LevelOK, "volatile-lru"},
		{"allkeys", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemoryPolicy = "allkeys-lru" }, "redis.eviction", LevelProblem, "maxmemory-policy noeviction"},
		{"allkeys unlimited", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemoryPolicy, s.MaxMemory = "allkeys-lfu", 0 }, "redis.eviction", LevelWarning, "maxmemory-policy noeviction"},

		{"memory", nil, "redis.memory", LevelOK, "9% of maxmemory"},
		{"memory nearly full", func(_ *stream.Info, s *stream.ServerInfo) { s.UsedMemory = 800 << 20 }, "redis.memory", LevelWarning, "78%"},
		{"memory full", func(_ *stream.Info, s *stream.ServerInfo) { s.UsedMemory = 1000 << 20 }, "redis.memory", LevelProblem, "97%"},
		{"memory unlimited", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemory = 0 }, "redis.memory", LevelWarning, "CONFIG SET maxmemory"},
		{"memory of the machine", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemory, s.UsedMemory = 0, 3900<<20 }, "redis.memory", LevelProblem, "the machine's memory"},
		{"memory not told", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemory, s.MachineMemory = 0, 0 }, "redis.memory", LevelUnknown, ""},

		{"clock", nil, "redis.clock", LevelOK, ""},
		{"clock ahead", func(f *stream.Info, _ *stream.ServerInfo) { f.ClockAhead = time.Minute }, "redis.clock", LevelWarning, "1m0s ahead of"},
		{"clock behind", func(f *stream.Info, _ *stream.ServerInfo) { f.ClockAhead = -time.Hour }, "redis.clock", LevelWarning, "behind"},
		{"clock uncertain", func(f *stream.Info, _ *stream.ServerInfo) {
			f.ClockAhead, f.ClockWithin = 2*time.Second, 1500*time.Millisecond
		}, "redis.clock", LevelOK, ""},
		{"clock not told", func(f *stream.Info, _ *stream.ServerInfo) { f.ClockWithin = 0 }, "redis.clock", LevelUnknown, ""},
	} {
		f := goodRedis()
		if tt.change != nil {
			tt.change(&f, &f.Server)
		}
		requireFinding(t, tt.name, judgeRedis(f), tt.topic, tt.level, tt.says)
	}
}

func TestJudgeStream(t *testing.T) {
	old := 20 * time.Minute
	for _, tt := range []struct {
		name   string
		change func(*stream.Info, *stream.StreamInfo)
		topic  string
		level  Level
		says   string
	}{
		{"key", nil, "stream.key", LevelOK, ""},
		{"no key", func(_ *stream.Info, s *stream.StreamInfo) { s.Type, s.Stats = "none", stream.Stats{} }, "stream.key", LevelOK, "does not exist yet"},
		{"no group yet", func(_ *stream.Info, s *stream.StreamInfo) { s.Type, s.Stats = "none", stream.Stats{} }, "stream.group", LevelOK, "does not exist yet"},
		{"another type", func(_ *stream.Info, s *stream.StreamInfo) { s.Type = "list" }, "stream.key", LevelProblem, "redis-cli RENAME events_stream OTHER"},
		{"another type of dead letters", func(_ *stream.Info, s *stream.StreamInfo) { s.DeadLetterType = "hash" }, "stream.dead_letters", LevelProblem, "'{events_stream}:dlq'"},
		{"moved", func(f *stream.Info, s *stream.StreamInfo) {
			s.Type, s.DeadLetterType = "", ""
			f.StreamErr = &event.Error{Kind: event.KindUnavailable, Code: "MOVED", Detail: "no", Err: errors.New("MOVED 3999 10.0.0.5:6379")}
		}, "stream.readable", LevelProblem, "the key: 10.0.0.5:6379"},
		{"forbidden", func(f *stream.Info, _ *stream.StreamInfo) {
			f.StreamErr = &event.Error{Kind: event.KindUnavailable, Code: "NOPERM", Detail: "no"}
		}, "stream.readable", LevelProblem, "'~{events_stream}:*'"},
		{"expires", func(_ *stream.Info, s *stream.StreamInfo) { s.Expires = time.Hour }, "stream.expiry", LevelProblem, "PERSIST events_stream"},

		{"group", nil, "stream.group", LevelOK, ""},
		{"no group", func(_ *stream.Info, s *stream.StreamInfo) { s.Group = false }, "stream.group", LevelWarning, "XGROUP CREATE events_stream event_persister 0"},
		{"consumers", nil, "stream.consumers", LevelOK, "1 alive"},
		{"no consumer", func(_ *stream.Info, s *stream.StreamInfo) { s.Members = nil }, "stream.consumers", LevelWarning, "start eventpulse work"},
		{"gone with nothing", func(_ *stream.Info, s *stream.StreamInfo) {
			s.Members = append(s.Members, stream.Member{Name: "w2", Idle: time.Hour})
		}, "stream.consumers", LevelOK, "1 gone"},
		{"gone with something", func(_ *stream.Info, s *stream.StreamInfo) {
			s.Members = append(s.Members, stream.Member{Name: "w2", Idle: 3 * time.Hour, Pending: 7})
		}, "stream.consumers", LevelWarning, `"w2", not heard of for 3h0m, holds 7`},

		{"backlog", nil, "stream.backlog", LevelOK, "3 events"},
		{"backlog old", func(_ *stream.Info, s *stream.StreamInfo) { s.OldestUnreadAge = old }, "stream.backlog", LevelWarning, "20m"},
		{"backlog old and nobody", func(_ *stream.Info, s *stream.StreamInfo) { s.OldestUnreadAge, s.Members = old, nil }, "stream.backlog", LevelProblem, "nobody reads"},
		{"backlog estimated", func(_ *stream.Info, s *stream.StreamInfo) { s.Backlog, s.BacklogExact = 5000, false }, "stream.backlog", LevelOK, "about 5000"},
		{"pending", nil, "stream.pending", LevelOK, "2 events"},
		{"pending old", func(_ *stream.Info, s *stream.StreamInfo) { s.OldestPendingAge, s.OldestPendingDeliveries = old, 3 }, "stream.pending", LevelWarning, "read 3 times"},

		{"other group", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "audit", LastDelivered: "1700000000000-4", LastAge: time.Minute}}
		}, "stream.other_groups", LevelOK, "audit"},
		{"other group on a quiet stream", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "audit", LastDelivered: s.LastDelivered, LastAge: 9 * time.Hour}}
		}, "stream.other_groups", LevelOK, "audit"},
		{"abandoned group", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "old audit", LastDelivered: "1600000000000-0", LastAge: 9 * time.Hour}}
		}, "stream.other_groups", LevelWarning, "XGROUP DESTROY events_stream 'old audit'"},
		{"group never used", func(_ *stream.Info, s *stream.StreamInfo) {
			s.OtherGroups = []stream.OtherGroup{{Name: "audit", LastDelivered: "0-0", LastAge: 500000 * time.Hour}}
		}, "stream.other_groups", LevelWarning, "never given anything"},

		{"no dead letters", nil, "stream.dead_letters", LevelOK, "none"},
		{"dead letters", func(_ *stream.Info, s *stream.StreamInfo) { s.DeadLetters = 1 }, "stream.dead_letters", LevelWarning, "eventpulse dlq list"},
	} {
		f := goodRedis()
		if tt.change != nil {
			tt.change(&f, &f.Stream)
		}
		requireFinding(t, tt.name, judgeStream(f), tt.topic, tt.level, tt.says)
	}
}

func TestJudgePostgres(t *testing.T) {
	good := store.Info{
		Address: "db:5432", Database: "events", Version: "15.18", VersionNumber: 150018, Latency: time.Millisecond, ClockWithin: time.Millisecond,
		Encoding: "UTF8", TimeZone: "Europe/Vienna", Fsync: true, FullPageWrites: true, SynchronousCommit: "on",
		MaxConnections: 97, Connections: 10, ConnectionLimit: -1, Table: true, Writable: true,
		Migrations: []store.Migration{{Name: "0001", AppliedAt: time.Unix(1, 0)}},
	}
	cfg := store.DefaultConfig()
	for _, tt := range []struct {
		name   string
		change func(*store.Info)
		topic  string
		level  Level
		says   string
	}{
		{"reachable", nil, "database.reachable", LevelOK, `"events" at db:5432`},
		{"version", nil, "database.version", LevelOK, "15.18"},
		{"version 13", func(f *store.Info) { f.Version, f.VersionNumber = "13.9", 130009 }, "database.version", LevelProblem, "14 or later"},
		{"role", nil, "database.role", LevelOK, ""},
		{"standby", func(f *store.Info) { f.Standby = true }, "database.role", LevelProblem, "primary"},
		{"read-only", func(f *store.Info) { f.ReadOnly = true }, "database.role", LevelProblem, "default_transaction_read_only = off"},
		{"encoding", nil, "database.encoding", LevelOK, ""},
		{"ASCII", func(f *store.Info) { f.Encoding = "SQL_ASCII" }, "database.encoding", LevelProblem, "createdb --encoding UTF8"},
		{"schema", nil, "database.schema", LevelOK, "0001"},
		{"behind", func(f *store.Info) { f.Migrations = []store.Migration{{Name: "0001"}} }, "database.schema", LevelProblem, "eventpulse migrate up"},
		{"ahead", func(f *store.Info) {
			f.Migrations = append(f.Migrations[:1:1], store.Migration{Name: "0009", AppliedAt: time.Unix(1, 0), Unknown: true})
		}, "database.schema", LevelWarning, "0009"},
		{"schema unreadable", func(f *store.Info) { f.MigrationsErr = errors.New("denied") }, "database.schema", LevelProblem, "denied"},
		{"not writable", func(f *store.Info) { f.Writable = false }, "database.permissions", LevelProblem, "GRANT"},
		{"durable", nil, "database.durability", LevelOK, ""},
		{"no fsync", func(f *store.Info) { f.Fsync = false }, "database.durability", LevelProblem, "fsync = on"},
		{"torn pages", func(f *store.Info) { f.FullPageWrites = false }, "database.durability", LevelWarning, "full_page_writes = on"},
		{"asynchronous", func(f *store.Info) { f.SynchronousCommit = "off" }, "database.durability", LevelOK, "turns on"},
		{"connections", nil, "database.connections", LevelOK, "10 of 97"},
		{"connections short", func(f *store.Info) { f.Connections = 92 }, "database.connections", LevelWarning, "max_connections"},
		{"connections too few", func(f *store.Info) { f.ConnectionLimit = 5 }, "database.connections", LevelProblem, "may have 5"},
		{"clock", func(f *store.Info) { f.ClockAhead = 5 * time.Second }, "database.clock", LevelWarning, "5s ahead"},
		{"timezone", nil, "database.timezone", LevelOK, "Europe/Vienna"},
	} {
		f := good
		if tt.change != nil {
			tt.change(&f)
		}
		requireFinding(t, tt.name, judgePostgres(f, cfg), tt.topic, tt.level, tt.says)
	}
}
