package servers_test

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

func TestReservePort_IsNotGivenTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port, err := servers.ReservePort()
		require.NoError(t, err)
		require.False(t, seen[port])
		seen[port] = true
	}
	for port := range seen {
		servers.ReleasePort(port)
		servers.ReleasePort(port) // of nobody by now
	}
}

// The lock is the kernel's, so another process sees it as long as we live.
func TestReservePort_IsSeenByOtherProcesses(t *testing.T) {
	port, err := servers.ReservePort()
	require.NoError(t, err)
	taken := func() bool {
		cmd := exec.Command("flock", "--nonblock", "/tmp/eventpulse-test-ports/"+strconv.Itoa(port), "true")
		return cmd.Run() != nil
	}
	if _, err := exec.LookPath("flock"); err != nil {
		t.Fatal("flock is not installed: it comes with util-linux")
	}
	require.True(t, taken())
	servers.ReleasePort(port)
	require.False(t, taken())

}
