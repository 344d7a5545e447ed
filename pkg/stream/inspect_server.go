package stream

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

func (c *Conn) inspectServer(ctx context.Context) (ServerInfo, error) {
	f := ServerInfo{GoodReplicas: -1}
	info, err := c.info(ctx)
	if err != nil && !denied(err) {
		return f, err
	}
	if err == nil {
		f.Available = true
		f.read(info)
	}
	f.Settings, err = c.inspectSettings(ctx)
	f.SettingsAvailable = len(f.Settings) > 0
	return f, err
}

// info returns what INFO says, by name.
func (c *Conn) info(ctx context.Context) (map[string]string, error) {
	reply, err := c.do(ctx, c.redis.B().Info().Build())
	if err != nil {
		return nil, err
	}
	text, err := reply.ToString()
	if err != nil {
		return nil, unexpected("INFO", err)
	}
	info := make(map[string]string)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// read takes what INFO says.
func (f *ServerInfo) read(info map[string]string) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(info[name], 10, 64) // 0 is not available
		return n
	}
	f.Version, f.Mode = info["redis_version"], info["redis_mode"]
	f.Loading = info["loading"] == "1"

	f.Replica = info["role"] == "slave"
	if f.Replica {
		f.Primary = info["master_host"] + ":" + info["master_port"]
	}
	f.Replicas = number("connected_slaves")
	if _, ok := info["min_slaves_good_slaves"]; ok {
		f.GoodReplicas = number("min_slaves_good_slaves")
	}

	f.UsedMemory, f.MaxMemory = number("used_memory"), number("maxmemory")
	f.MachineMemory = number("total_system_memory")
	f.MaxMemoryPolicy = info["maxmemory_policy"]

	f.AppendOnly = info["aof_enabled"] == "1"
	f.LastAppend = info["aof_last_write_status"]
	f.LastRewrite = info["aof_last_bgrewrite_status"]
	f.LastSnapshot = info["rdb_last_bgsave_status"]
}

// inspectSettings returns what the server tells of settingsOfInterest.
func (c *Conn) inspectSettings(ctx context.Context) (map[string]string, error) {
	cmds := make([]rueidis.Completed, len(settingsOfInterest))
	for i, name := range settingsOfInterest {
		cmds[i] = c.redis.B().ConfigGet().Parameter(name).Build()
	}
	replies, err := c.doAll(ctx, cmds...)
	if err != nil {
		return nil, err
	}
	settings := make(map[string]string)
	for i, reply := range replies {
		values, err := reply.AsStrMap()
		if denied(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if value, ok := values[settingsOfInterest[i]]; ok {
			settings[settingsOfInterest[i]] = value
		}
	}
	return settings, nil
}

// unixTime reads the two numbers that TIME answers with.
func unixTime(seconds, microseconds string) (time.Time, error) {
	s, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	us, err := strconv.ParseInt(microseconds, 10, 64)
	return time.Unix(s, us*1000).UTC(), err
}
