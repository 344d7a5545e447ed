package doctor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/stream"
)

// goodRedis is a server on which nothing is to be changed.
func goodRedis() stream.Info {
	return stream.Info{
		Address: "redis:6379", Latency: 200 * time.Microsecond, ClockWithin: 100 * time.Microsecond,
		Server: stream.ServerInfo{
			Available: true, SettingsAvailable: true, Version: "7.0.15", Mode: "standalone", GoodReplicas: -1,
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
		check  string
		status Status
		says   string
	}{
		{"reachable", nil, "redis.reachable", OK, "redis:6379"},
		{"version", nil, "redis.version", OK, "7.0.15"},
		{"version 8", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "8.2.0" }, "redis.version", OK, ""},
		{"version 6.2", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "6.2.14" }, "redis.version", Warning, "7"},
		{"version 6.0", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "6.0.16" }, "redis.version", Problem, "XAUTOCLAIM"},
		{"version 5", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "5.0.3" }, "redis.version", Problem, "XAUTOCLAIM"},
		{"no version", func(_ *stream.Info, s *stream.ServerInfo) { s.Version = "" }, "redis.version", Unknown, ""},
		{"cluster", func(_ *stream.Info, s *stream.ServerInfo) { s.Mode = "cluster" }, "redis.cluster", Warning, "slot"},
		{"INFO denied", func(_ *stream.Info, s *stream.ServerInfo) { *s = stream.ServerInfo{} }, "redis.server", Unknown, "+info"},

		{"primary", nil, "redis.role", OK, "primary"},
		{"replica", func(_ *stream.Info, s *stream.ServerInfo) { s.Replica, s.Primary = true, "other:6379" }, "redis.role", Problem, "other:6379"},
		{"replicas missing", func(_ *stream.Info, s *stream.ServerInfo) {
			s.GoodReplicas, s.Settings["min-replicas-to-write"] = 0, "1"
		}, "redis.role", Problem, "min-replicas-to-write 0"},
		{"replicas there", func(_ *stream.Info, s *stream.ServerInfo) {
			s.Replicas, s.GoodReplicas, s.Settings["min-replicas-to-write"] = 2, 2, "1"
		}, "redis.role", OK, "2 replicas"},
		{"replicas not waited for", func(_ *stream.Info, s *stream.ServerInfo) { s.Replicas = 1 }, "redis.role", Warning, "min-replicas-to-write 1"},

		{"synced", nil, "redis.persistence", OK, "before each reply"},
		{"no file", func(_ *stream.Info, s *stream.ServerInfo) { s.AppendOnly = false }, "redis.persistence", Problem, "redis-cli CONFIG SET appendonly yes"},
		{"everysec", func(_ *stream.Info, s *stream.ServerInfo) { s.Settings["appendfsync"] = "everysec" }, "redis.persistence", Warning, "appendfsync always"},
		{"never", func(_ *stream.Info, s *stream.ServerInfo) { s.Settings["appendfsync"] = "no" }, "redis.persistence", Problem, "appendfsync always"},
		{"not while rewriting", func(_ *stream.Info, s *stream.ServerInfo) { s.Settings["no-appendfsync-on-rewrite"] = "yes" }, "redis.persistence", Warning, "no-appendfsync-on-rewrite no"},
		{"CONFIG denied", func(_ *stream.Info, s *stream.ServerInfo) { s.SettingsAvailable, s.Settings = false, nil }, "redis.persistence", Unknown, "CONFIG"},
		{"CONFIG denied, no file", func(_ *stream.Info, s *stream.ServerInfo) {
			s.SettingsAvailable, s.Settings, s.AppendOnly = false, nil, false
		}, "redis.persistence", Problem, "where this server is configured"},

		{"disk", nil, "redis.disk", OK, "succeeded"},
		{"append failed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastAppend = "err" }, "redis.disk", Problem, "df -h"},
		{"rewrite failed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastRewrite = "err" }, "redis.disk", Warning, "rewrite"},
		{"snapshot failed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastSnapshot = "err" }, "redis.disk", Warning, "snapshot"},
		{"snapshot failed and needed", func(_ *stream.Info, s *stream.ServerInfo) { s.LastSnapshot, s.Settings["save"] = "err", "60 1" }, "redis.disk", Problem, "rejected"},

		{"eviction", nil, "redis.eviction", OK, "noeviction"},
		{"volatile", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemoryPolicy = "volatile-lru" }, "redis.eviction", OK, "volatile-lru"},
		{"allkeys", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemoryPolicy = "allkeys-lru" }, "redis.eviction", Problem, "maxmemory-policy noeviction"},
		{"allkeys unlimited", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemoryPolicy, s.MaxMemory = "allkeys-lfu", 0 }, "redis.eviction", Warning, "maxmemory-policy noeviction"},

		{"memory", nil, "redis.memory", OK, "9% of maxmemory"},
		{"memory nearly full", func(_ *stream.Info, s *stream.ServerInfo) { s.UsedMemory = 800 << 20 }, "redis.memory", Warning, "78%"},
		{"memory full", func(_ *stream.Info, s *stream.ServerInfo) { s.UsedMemory = 1000 << 20 }, "redis.memory", Problem, "97%"},
		{"memory unlimited", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemory = 0 }, "redis.memory", Warning, "CONFIG SET maxmemory"},
		{"memory of the machine", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemory, s.UsedMemory = 0, 3900<<20 }, "redis.memory", Problem, "the machine's memory"},
		{"memory unknown", func(_ *stream.Info, s *stream.ServerInfo) { s.MaxMemory, s.MachineMemory = 0, 0 }, "redis.memory", Unknown, ""},

		{"clock", nil, "redis.clock", OK, ""},
		{"clock ahead", func(f *stream.Info, _ *stream.ServerInfo) { f.ClockAhead = time.Minute }, "redis.clock", Warning, "1m0s ahead of"},
		{"clock behind", func(f *stream.Info, _ *stream.ServerInfo) { f.ClockAhead = -time.Hour }, "redis.clock", Warning, "behind"},
		{"clock uncertain", func(f *stream.Info, _ *stream.ServerInfo) {
			f.ClockAhead, f.ClockWithin = 2*time.Second, 1500*time.Millisecond
		}, "redis.clock", OK, ""},
		{"clock unknown", func(f *stream.Info, _ *stream.ServerInfo) { f.ClockWithin = 0 }, "redis.clock", Unknown, ""},
	} {
		f := goodRedis()
		if tt.change != nil {
			tt.change(&f, &f.Server)
		}
		requireFinding(t, tt.name, judgeRedis(f), tt.check, tt.status, tt.says)
	}
}

func TestDataLoss_OnlyWhatLosesEvents(t *testing.T) {
	require.Empty(t, DataLoss(goodRedis()))

	f := goodRedis()
	f.Server.AppendOnly, f.Server.MaxMemoryPolicy, f.Server.Version = false, "allkeys-lru", "6.0.16"
	found := DataLoss(f)
	require.Len(t, found, 2, "the version is another matter")
	require.Equal(t, Problem, findingOf(found, "redis.persistence").Status)
	require.Equal(t, Problem, findingOf(found, "redis.eviction").Status)

	f.Server = stream.ServerInfo{}
	require.Empty(t, DataLoss(f), "the server does not say")
}
