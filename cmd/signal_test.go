//go:build unix

package cmd

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUntilSignal_EndsWithEverySignalToEnd(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		ctx, stop := untilSignal(t.Context())
		require.NoError(t, ctx.Err())
		require.NoError(t, syscall.Kill(os.Getpid(), s))
		<-ctx.Done()
		stop()
	}
}

func TestUntilSignal_LeavesHangupIgnored(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	ctx, stop := untilSignal(t.Context())
	defer stop()
	require.True(t, signal.Ignored(syscall.SIGHUP))
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.NoError(t, ctx.Err())
}
