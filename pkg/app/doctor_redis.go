package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/eventpulse/eventpulse/pkg/stream"
)

// The share of its memory from which a server is nearly full, and full for all
// that matters, in percent.
const (
	nearlyFull = 75
	asGoodFull = 90
)

// clockTolerance is how far two clocks may differ before figures that are made
// of both mislead.
const clockTolerance = time.Second

// judgeRedis judges the server, whatever is on it.
func judgeRedis(f stream.Info) (found findings) {
	s := f.Server
	found.ok("redis.reachable", "Redis at %s answers in %s", f.Address, short(f.Latency))
	found.clock("redis.clock", f.ClockAhead, f.ClockWithin)
	if !s.Told {
		found.unknown("redis.server", "INFO is not allowed, so version, persistence and memory are not known",
			"let this user ask: redis-cli ACL SETUSER NAME +info '+config|get'")
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

func judgeRedisVersion(found *findings, s stream.ServerInfo) {
	const topic = "redis.version"
	major, minor, ok := versionOf(s.Version)
	switch {
	case !ok:
		found.unknown(topic, fmt.Sprintf("version %q", s.Version), "see that it is Redis 6.2 or later")
	case major < 6 || major == 6 && minor < 2:
		found.problem(topic, "Redis "+s.Version+" has no XAUTOCLAIM: what a dead worker held is never taken over", "upgrade to Redis 7 or later")
	case major < 7:
		found.warning(topic, "Redis "+s.Version+" does not tell which pending entries were deleted", "upgrade to Redis 7 or later")
	default:
		found.ok(topic, "Redis %s", s.Version)
	}
	if s.Mode == "cluster" {
		found.warning("redis.cluster", "a node of a cluster: redis.url names one node, and moving the stream's slot, or a failover, is not followed",
			"name the node that serves the stream's slot, by an address that follows it")
	}
}

func judgeRedisRole(found *findings, s stream.ServerInfo) {
	const topic = "redis.role"
	least := atoi(s.Settings["min-replicas-to-write"])
	switch {
	case s.Replica:
		found.problem(topic, "a replica of "+s.Primary+": it takes no events", "point redis.url at the primary, or make this one it: redis-cli REPLICAOF NO ONE")
	case s.GoodReplicas >= 0 && s.GoodReplicas < least:
		found.problem(topic, fmt.Sprintf("%d of the %d replicas are there without which it refuses writes", s.GoodReplicas, least),
			"bring the replicas back, or "+setRedis(s, "min-replicas-to-write", strconv.FormatInt(s.GoodReplicas, 10)))
	case s.Replicas > 0 && s.SettingsTold && least == 0:
		found.warning(topic, fmt.Sprintf("the primary of %d replicas, which it does not wait for: cut off from them it goes on accepting what a failover throws away", s.Replicas),
			setRedis(s, "min-replicas-to-write", "1"))
	case s.Replicas > 0:
		found.ok(topic, "the primary of %d replicas", s.Replicas)
	default:
		found.ok(topic, "a primary without replicas")
	}
}

// judgePersistence asks what is left of an accepted event when the server dies.
func judgePersistence(found *findings, s stream.ServerInfo) {
	const topic = "redis.persistence"
	sync, told := s.Settings["appendfsync"]
	switch {
	case !s.AppendOnly:
		found.problem(topic, "no append-only file: accepted events that are not stored yet are lost when Redis dies",
			setRedis(s, "appendfsync", "always", "appendonly", "yes"))
	case !told:
		found.unknown(topic, "an append-only file; how often it is synced is not told (CONFIG is not allowed)",
			"see that appendfsync is always, or know that the last second may be lost")
	case sync == "no":
		found.problem(topic, "an append-only file that is never synced: what the system had not written is lost with the machine",
			setRedis(s, "appendfsync", "always"))
	case sync != "always":
		found.warning(topic, "an append-only file synced once a second: the last second's accepted events are lost with the machine",
			setRedis(s, "appendfsync", "always"))
	case s.Settings["no-appendfsync-on-rewrite"] == "yes":
		found.warning(topic, "an append-only file that is not synced while it is being rewritten",
			setRedis(s, "no-appendfsync-on-rewrite", "no"))
	default:
		found.ok(topic, "an append-only file, synced before each reply")
	}
}

// judgeDiskWrites asks whether the last writes to disk went well.
func judgeDiskWrites(found *findings, s stream.ServerInfo) {
	const topic = "redis.disk"
	const look = "see the server's log and its disk: df -h"
	switch {
	case s.LastAppend != "" && s.LastAppend != "ok":
		found.problem(topic, "the last write to the append-only file failed, and writes are refused until one succeeds", look)
	case s.LastSnapshot != "" && s.LastSnapshot != "ok" && s.Settings["save"] != "" && s.Settings["stop-writes-on-bgsave-error"] != "no":
		found.problem(topic, "the last snapshot failed, and writes are refused until one succeeds", look)
	case s.LastSnapshot != "" && s.LastSnapshot != "ok":
		found.warning(topic, "the last snapshot failed", look)
	case s.LastRewrite != "" && s.LastRewrite != "ok":
		found.warning(topic, "the last rewrite of the append-only file failed: it grows", look)
	default:
		found.ok(topic, "the last writes to disk succeeded")
	}
}

func judgeEviction(found *findings, s stream.ServerInfo) {
	const topic = "redis.eviction"
	policy := s.MaxMemoryPolicy
	set := setRedis(s, "maxmemory-policy", "noeviction")
	switch {
	case policy == "":
		found.unknown(topic, "maxmemory-policy is not told", "see that it is noeviction")
	case strings.HasPrefix(policy, "allkeys-") && s.MaxMemory > 0:
		found.problem(topic, "maxmemory-policy "+policy+": when memory is short the stream is thrown away", set)
	case strings.HasPrefix(policy, "allkeys-"):
		found.warning(topic, "maxmemory-policy "+policy+": once maxmemory is set, the stream may be thrown away", set)
	case policy != "noeviction":
		found.ok(topic, "maxmemory-policy %s: it spares keys that do not expire, as the stream", policy)
	default:
		found.ok(topic, "nothing is thrown away when memory is short")
	}
}

func judgeMemory(found *findings, s stream.ServerInfo) {
	const topic = "redis.memory"
	limit, of := s.MaxMemory, "maxmemory"
	if limit == 0 {
		limit, of = s.MachineMemory, "the machine's memory"
	}
	if limit == 0 {
		found.unknown(topic, humanize.IBytes(uint64(s.UsedMemory))+" used; how much there may be is not told", "")
		return
	}
	share := 100 * s.UsedMemory / limit
	used := fmt.Sprintf("%s used, %d%% of %s (%s)", humanize.IBytes(uint64(s.UsedMemory)), share, of, humanize.IBytes(uint64(limit)))
	const relief = "see that work keeps up, and what else is kept there; then raise maxmemory"
	switch {
	case share >= asGoodFull:
		found.problem(topic, used+": events will be refused", relief)
	case share >= nearlyFull:
		found.warning(topic, used, relief)
	case s.MaxMemory == 0:
		found.warning(topic, used+"; no maxmemory: while the database is away it grows until the system kills it",
			setRedis(s, "maxmemory", "SIZE")+", with a SIZE that leaves the machine a quarter of its memory")
	default:
		found.ok(topic, "%s", used)
	}
}

// setRedis is how to change settings of a server, given as names and values, as
// far as it lets itself be changed.
func setRedis(s stream.ServerInfo, settings ...string) string {
	var steps []string
	for i := 0; i+1 < len(settings); i += 2 {
		step := settings[i] + " to " + settings[i+1]
		if s.SettingsTold {
			step = "redis-cli CONFIG SET " + settings[i] + " " + settings[i+1]
		}
		steps = append(steps, step)
	}
	if !s.SettingsTold {
		return "set " + strings.Join(steps, " and ") + " where this server is configured"
	}
	return strings.Join(steps, "; ") + "; and the same in redis.conf"
}

// clock judges a clock that is ahead of this machine's by so much, give or take
// within; 0 for within is not known.
func (f *findings) clock(topic string, ahead, within time.Duration) {
	off, word := ahead, "ahead of"
	if ahead < 0 {
		off, word = -ahead, "behind"
	}
	switch {
	case within == 0:
		f.unknown(topic, "its time is not told", "")
	case off-within > clockTolerance:
		f.warning(topic, fmt.Sprintf("its clock is %s %s this machine's: delays and ages are wrong by that, events are not", short(off), word),
			"run chrony or another NTP client on both machines")
	default:
		f.ok(topic, "its clock agrees with this machine's within %s", short(off+within))
	}
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

// atoi is 0 for what is no number, as a setting that is not told.
func atoi(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// short rounds a duration to what a person wants to know.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}
