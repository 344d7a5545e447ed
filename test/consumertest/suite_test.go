package consumertest_test

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/consumertest"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestSource_Memory(t *testing.T) {
	for _, number := range []int{0, 1} {
		t.Run("partition "+strconv.Itoa(number), func(t *testing.T) {
			consumertest.TestSource(t, func(*testing.T) consumertest.Partition {
				m := consumertest.NewMemory(number)
				return consumertest.Partition{Source: m, Number: number, Publish: m.Publish}
			})
		})
	}
}

func TestSource_Redis(t *testing.T) {
	server := servers.Redis(t)
	n := 0
	consumertest.TestSource(t, func(t *testing.T) consumertest.Partition {
		n++
		key := "stream" + strconv.Itoa(n)
		return consumertest.Partition{Source: openStream(t, server, key), Publish: publisher(t, server, key)}
	})
}

// openStream returns a group on the stream at key.
func openStream(t *testing.T, server *servers.RedisServer, key string) *stream.Group {
	t.Helper()
	cfg := stream.DefaultRedisConfig()
	cfg.URL = server.URL()
	cfg.Timeout = 20 * time.Second // the machine may be busy
	conn, err := stream.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	partition, err := conn.Partition(0, key, nil)
	require.NoError(t, err)
	group, err := stream.NewGroup(partition, "event_persister", "$")
	require.NoError(t, err)
	return group
}

// publisher returns a function that puts entries on the stream at key, whatever
// they hold.
func publisher(t *testing.T, server *servers.RedisServer, key string) func(entries ...[]string) {
	t.Helper()
	r := connect(t, server)
	return func(entries ...[]string) {
		cmds := make([]rueidis.Completed, len(entries))
		for i, fields := range entries {
			cmds[i] = r.B().Arbitrary("XADD").Keys(key).Args("*").Args(fields...).Build()
		}
		for _, reply := range r.DoMulti(t.Context(), cmds...) {
			require.NoError(t, reply.Error())
		}
	}
}

func connect(t *testing.T, server *servers.RedisServer) rueidis.Client {
	t.Helper()
	r, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true, ForceSingleClient: true})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}
