package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/eventpulse/eventpulse/pkg/stream"
)

// The shares of its memory, in percent, from which a server is a warning and a
// problem.
const (
	memoryWarning = 75
	memoryProblem = 90
)

// judgeRedis judges the server, whatever its keys hold.
func judgeRedis(f stream.Info) (found findings) {
	s := f.Server
	found.ok("redis.reachable", "Redis at %s answers in %s", f.Address, short(f.Latency))
	found.clock("redis.clock", f.ClockAhead, f.ClockWithin)
	if !s.Available {
		found.unknown("redis.server", "INFO is denied, so version, persistence and memory are unknown",
			"allow it to this user: redis-cli ACL SETUSER NAME +info '+config|get'")
		return found
	}
	judgeRedisVersion(&found, s)
	judgeRedisRole(&found, s)
	judgePersistence(&found, s)
	judgeDiskWrites(&found, s)
	judgeEviction(&found, s)
	judgeMemory(&found, s)
	return found
}

// DataLoss returns the findings about a server on which accepted events can be
// lost: how it persists them and whether it may evict them. What the server
// does not say is not among them.
func DataLoss(f stream.Info) []Finding {
	var found findings
	if f.Server.Available && f.Server.Version != "" { // a stand-in in memory has none
		judgePersistence(&found, f.Server)
		judgeEviction(&found, f.Server)
	}
	return slices.DeleteFunc(found, func(f Finding) bool { return f.Status != Warning && f.Status != Problem })
}

func judgeRedisVersion(found *findings, s stream.ServerInfo) {
	const check = "redis.version"
	major, minor, ok := versionOf(s.Version)
	switch {
	case !ok:
		found.unknown(check, fmt.Sprintf("version %q", s.Version), "make sure that it is Redis 6.2 or later")
	case major < 6 || major == 6 && minor < 2:
		found.problem(check, "Redis "+s.Version+" has no XAUTOCLAIM: what a dead worker held is never claimed by another", "upgrade to Redis 7 or later")
	case major < 7:
		found.warning(check, "Redis "+s.Version+" does not say which pending entries were deleted", "upgrade to Redis 7 or later")
	default:
		found.ok(check, "Redis %s", s.Version)
	}
	if s.Mode == "cluster" {
		found.warning("redis.cluster", "a node of a cluster: redis.url names one node, and neither a move of the stream's slot nor a failover is followed",
			"name the node that serves the stream's slot, by an address that follows it")
	}
}

func judgeRedisRole(found *findings, s stream.ServerInfo) {
	const check = "redis.role"
	least := atoi(s.Settings["min-replicas-to-write"])
	switch {
	case s.Replica:
		found.problem(check, "a replica of "+s.Primary+": it takes no events", "point redis.url at the primary, or promote this one: redis-cli REPLICAOF NO ONE")
	case s.GoodReplicas >= 0 && s.GoodReplicas < least:
		found.problem(check, fmt.Sprintf("only %d of the %d replicas that min-replicas-to-write asks for are connected: it rejects writes", s.GoodReplicas, least),
			"bring the replicas back, or "+setRedis(s, "min-replicas-to-write", strconv.FormatInt(s.GoodReplicas, 10)))
	case s.Replicas > 0 && s.SettingsAvailable && least == 0:
		found.warning(check, fmt.Sprintf("the primary of %d replicas, which it does not wait for: cut off from them it goes on accepting events that a failover loses", s.Replicas),
			setRedis(s, "min-replicas-to-write", "1"))
	case s.Replicas > 0:
		found.ok(check, "the primary of %d replicas", s.Replicas)
	default:
		found.ok(check, "a primary without replicas")
	}
}

// judgePersistence asks what is left of an accepted event when the server dies:
// https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
func judgePersistence(found *findings, s stream.ServerInfo) {
	const check = "redis.persistence"
	sync, known := s.Settings["appendfsync"]
	switch {
	case !s.AppendOnly:
		found.problem(check, "no append-only file: accepted events that are not stored yet are lost when Redis dies",
			setRedis(s, "appendfsync", "always", "appendonly", "yes"))
	case !known:
		found.unknown(check, "an append-only file; how often it is synced is unknown (CONFIG is denied)",
			"make sure that appendfsync is always; otherwise the last second may be lost")
	case sync == "no":
		found.problem(check, "an append-only file that Redis never syncs: what the system has not written is lost when the machine dies",
			setRedis(s, "appendfsync", "always"))
	case sync != "always":
		found.warning(check, "an append-only file synced once a second: accepted events of the last second are lost when the machine dies",
			setRedis(s, "appendfsync", "always"))
	case s.Settings["no-appendfsync-on-rewrite"] == "yes":
		found.warning(check, "an append-only file that is not synced while it is being rewritten",
			setRedis(s, "no-appendfsync-on-rewrite", "no"))
	default:
		found.ok(check, "an append-only file, synced before each reply")
	}
}

// judgeDiskWrites asks whether the last writes to disk went well.
func judgeDiskWrites(found *findings, s stream.ServerInfo) {
	const check = "redis.disk"
	const remedy = "see the server's log and its disk: df -h"
	switch {
	case s.LastAppend != "" && s.LastAppend != "ok":
		found.problem(check, "the last write to the append-only file failed, and writes are rejected until one succeeds", remedy)
	case s.LastSnapshot != "" && s.LastSnapshot != "ok" && s.Settings["save"] != "" && s.Settings["stop-writes-on-bgsave-error"] != "no":
		found.problem(check, "the last snapshot failed, and writes are rejected until one succeeds", remedy)
	case s.LastSnapshot != "" && s.LastSnapshot != "ok":
		found.warning(check, "the last snapshot failed", remedy)
	case s.LastRewrite != "" && s.LastRewrite != "ok":
		found.warning(check, "the last rewrite of the append-only file failed: the file grows", remedy)
	default:
		found.ok(check, "the last writes to disk succeeded")
	}
}

// judgeEviction asks whether Redis may evict the stream:
// https://redis.io/docs/latest/develop/reference/eviction/
func judgeEviction(found *findings, s stream.ServerInfo) {
	const check = "redis.eviction"
	policy := s.MaxMemoryPolicy
	set := setRedis(s, "maxmemory-policy", "noeviction")
	switch {
	case policy == "":
		found.unknown(check, "maxmemory-policy is unknown", "make sure that it is noeviction")
	case strings.HasPrefix(policy, "allkeys-") && s.MaxMemory > 0:
		found.problem(check, "maxmemory-policy "+policy+": when memory is short Redis may evict the stream", set)
	case strings.HasPrefix(policy, "allkeys-"):
		found.warning(check, "maxmemory-policy "+policy+": once maxmemory is set, Redis may evict the stream", set)
	case policy != "noeviction":
		found.ok(check, "maxmemory-policy %s: it spares keys that do not expire, as the stream does not", policy)
	default:
		found.ok(check, "maxmemory-policy noeviction")
	}
}

func judgeMemory(found *findings, s stream.ServerInfo) {
	const check = "redis.memory"
	limit, of := s.MaxMemory, "maxmemory"
	if limit == 0 {
		limit, of = s.MachineMemory, "the machine's memory"
	}
	if limit == 0 {
		found.unknown(check, humanize.IBytes(uint64(s.UsedMemory))+" used; the limit is unknown", "")
		return
	}
	share := 100 * s.UsedMemory / limit
	used := fmt.Sprintf("%s used, %d%% of %s (%s)", humanize.IBytes(uint64(s.UsedMemory)), share, of, humanize.IBytes(uint64(limit)))
	const remedy = "check that work keeps up, and what else is kept there; then raise maxmemory"
	switch {
	case share >= memoryProblem:
		found.problem(check, used+": writes will be rejected", remedy)
	case share >= memoryWarning:
		found.warning(check, used, remedy)
	case s.MaxMemory == 0:
		found.warning(check, used+"; no maxmemory: while the database is away it grows until the system kills it",
			setRedis(s, "maxmemory", "SIZE")+", with a SIZE that leaves the machine a quarter of its memory")
	default:
		found.ok(check, "%s", used)
	}
}

// setRedis says how to change settings of a server, given as names and values.
// Where CONFIG is denied, only whoever runs the server can change them.
func setRedis(s stream.ServerInfo, settings ...string) string {
	var steps []string
	for i := 0; i+1 < len(settings); i += 2 {
		step := settings[i] + " to " + settings[i+1]
		if s.SettingsAvailable {
			step = "redis-cli CONFIG SET " + settings[i] + " " + settings[i+1]
		}
		steps = append(steps, step)
	}
	if !s.SettingsAvailable {
		return "set " + strings.Join(steps, " and ") + " where this server is configured"
	}
	return strings.Join(steps, "; ") + "; and the same in redis.conf"
}

// versionOf returns the first two numbers of a version.
func versionOf(version string) (major, minor int, ok bool) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0, 0, false
	}
	minor, err = strconv.Atoi(parts[1])
	return major, minor, err == nil
}

// atoi is 0 for what is no number, as a setting that is unknown.
func atoi(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
