package stream

import (
	"path/filepath"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestConfig_DefaultsAreValid(t *testing.T) {
	require.NoError(t, DefaultConfig().Validate())
	require.NoError(t, DefaultRedisConfig().Validate())
}

func TestConfig_NamesWhatIsWrong(t *testing.T) {
	err := Config{Key: "a}b", GroupStart: "yesterday", PublishTimeout: -1}.Validate()
	for _, key := range []string{"key", "group", "group_start", "publish_timeout", "queue_events", "queue_bytes"} {
		require.ErrorContains(t, err, "stream."+key+" ")
	}
	err = RedisConfig{}.Validate()
	for _, key := range []string{"url", "dial_timeout", "timeout"} {
		require.ErrorContains(t, err, "redis."+key)
	}
	require.ErrorContains(t, Config{}.Validate(), "stream.key is empty")
}

func TestOpen_UnixSocketAndPassword(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "redis.sock")
	server := servers.Redis(t, "--unixsocket", socket, "--requirepass", "hunter2")
	ctx := testContext(t)
	c := newClient(t, "unix://:hunter2@"+socket)
	require.NoError(t, c.Ping(ctx))
	require.NoError(t, c.Publish(ctx, sample(0, 1)))
	for _, url := range []string{server.URL(), "redis://:wrong-hunter3@" + server.Addr()} {
		c := newClient(t, url)
		err := c.Publish(ctx, sample(0, 1))
		requireUnavailable(t, err, "auth")
		require.NotContains(t, err.Error(), "hunter")
	}
}

// The dead letters are in the slot of the stream, whatever it is called.
func TestDeadLetterKey_IsInTheSlotOfTheStream(t *testing.T) {
	for key, want := range map[string]string{
		"events_stream": "{events_stream}:dlq", "{a}:events": "{a}:events:dlq", "x{a}y}": "x{a}y}:dlq",
	} {
		got, err := deadLetterKey(key)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, slot(key), slot(got))
	}
	for _, key := range []string{"a}b", "{}a", "a{b", "}a{"} {
		_, err := deadLetterKey(key)
		require.Error(t, err, key)
	}
}

func slot(key string) uint16 {
	cmd := rueidis.Completed{}.SetSlot(key)
	return cmd.Slot()
}
