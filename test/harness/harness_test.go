package harness

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m, goleak.IgnoreCurrent())) }

func TestRedis_RunsCommands(t *testing.T) {
	addr := servers.Redis(t).Addr()
	replies, err := Redis(t.Context(), addr,
		[]string{"PING"}, []string{"INCR", "n"}, []string{"GET", "absent"}, []string{"SET", "k", "a\r\nb"}, []string{"GET", "k"},
		[]string{"XADD", "s", "1-1", "f", "v", "g", ""}, []string{"XRANGE", "s", "-", "+"})
	require.NoError(t, err)
	require.Equal(t, []any{"PONG", int64(1), nil, "OK", "a\r\nb", "1-1"}, replies[:6])
	require.Equal(t, []Entry{{ID: "1-1", Fields: map[string]any{"f": "v", "g": ""}}}, Entries(replies[6]))

	_, err = Redis(t.Context(), addr, []string{"LPUSH", "k", "x"})
	var wrong RedisError
	require.ErrorAs(t, err, &wrong)
	require.ErrorContains(t, err, "WRONGTYPE")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Redis(ctx, addr, []string{"XREAD", "BLOCK", "0", "STREAMS", "none", "$"})
	require.Error(t, err)
	require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
}

func TestDir_OfKilledRunsIsSwept(t *testing.T) {
	parent := t.TempDir()
	killed, err := NewDir(parent)
	require.NoError(t, err)
	require.NoError(t, killed.lock.Close()) // as the kernel does
	alive, err := NewDir(parent)
	require.NoError(t, err)
	kept, err := NewDir(parent)
	require.NoError(t, err)
	require.NoError(t, kept.Keep())
	require.NoError(t, kept.Close())
	old := time.Now().Add(-time.Hour)
	for _, p := range []*Dir{killed, alive, kept} {
		require.NoError(t, os.Chtimes(p.Path, old, old))
	}

	sweep(parent)
	require.NoDirExists(t, killed.Path)
	require.DirExists(t, alive.Path)
	require.DirExists(t, kept.Path)
	require.NoError(t, alive.Close())
	require.NoDirExists(t, alive.Path)
}
