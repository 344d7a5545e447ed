package stream

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdvice_NamesSettingsThatLoseEvents(t *testing.T) {
	c, _ := withRedis(t)
	ctx := testContext(t)
	advice := func() string {
		a, err := c.Advice(ctx)
		require.NoError(t, err)
		return strings.Join(a, "\n")
	}
	require.Contains(t, advice(), "appendonly yes")
	say(t, c, "CONFIG", "SET", "appendonly", "yes")
	say(t, c, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	require.Contains(t, advice(), "appendfsync always")
	require.Contains(t, advice(), "noeviction")
	say(t, c, "CONFIG", "SET", "appendfsync", "always")
	say(t, c, "CONFIG", "SET", "maxmemory-policy", "volatile-lru")
	require.Empty(t, advice())
}

func TestEnsureGroup_LogsAdviceOnce(t *testing.T) {
	c, _ := withRedis(t)
	log := &recorder{}
	c.conn.log = slog.New(log)
	for range 3 {
		require.NoError(t, c.EnsureGroup(testContext(t)))
	}
	require.Equal(t, 1, strings.Count(log.String(), "WARN Redis is not set up"))
}
