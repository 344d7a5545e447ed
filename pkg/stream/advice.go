package stream

import (
	"context"
	"strings"
)

// Advice returns what about the server's settings lets accepted events be
// lost, a sentence each. What the server does not say is not judged.
func (i *Inspector) Advice(ctx context.Context) ([]string, error) {
	advice, err := i.p.conn.advice(ctx)
	if err != nil {
		return nil, i.p.failed(opInspect, "", err)
	}
	return advice, nil
}

func (c *Conn) advice(ctx context.Context) ([]string, error) {
	info, err := c.info(ctx)
	if err != nil {
		return nil, err
	}
	var advice []string
	if policy := info["maxmemory_policy"]; strings.HasPrefix(policy, "allkeys-") {
		advice = append(advice, "Redis may throw the stream away when memory is short (maxmemory-policy "+policy+"): set it to noeviction")
	}
	switch {
	case info["aof_enabled"] == "0":
		advice = append(advice, "Redis keeps no append-only file, so accepted events are lost when it dies: set appendonly yes and appendfsync always")
	case info["aof_enabled"] == "1" && c.setting(ctx, "appendfsync") == "everysec":
		advice = append(advice, "Redis writes to disk once a second, so accepted events of that second are lost when its machine dies: set appendfsync always")
	}
	return advice, nil
}

// logAdvice logs the advice there is. It is a service: nothing depends on it.
func (c *Conn) logAdvice(ctx context.Context) {
	advice, err := c.advice(ctx)
	if err != nil {
		c.log.Debug("asking Redis for its settings failed", "error", err)
	}
	for _, text := range advice {
		c.log.Warn("Redis is not set up to keep events safe", "advice", text)
	}
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

// setting returns a setting of the server, "" when it does not tell: many that
// are run for others do not.
func (c *Conn) setting(ctx context.Context, name string) string {
	reply, err := c.do(ctx, c.redis.B().ConfigGet().Parameter(name).Build())
	if err != nil {
		return ""
	}
	settings, err := reply.AsStrMap()
	if err != nil {
		return ""
	}
	return settings[name]
}
