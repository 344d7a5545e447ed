package env

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m, goleak.IgnoreCurrent())) }

const timeout = 20 * time.Second

// sleeper is a child that says its name and waits.
func sleeper(t *testing.T, script string) *Child {
	t.Helper()
	c := newChild("child", filepath.Join(t.TempDir(), "log"), []string{"PATH=" + os.Getenv("PATH")}, "sh", "-c", script)
	t.Cleanup(c.Remove)
	return c
}

func TestChildIsStartedAgainWhenKilled(t *testing.T) {
	c := sleeper(t, "exec sleep 1000")
	require.NoError(t, c.Start())
	require.Error(t, c.Start(), "it runs already")
	first := c.PID()
	require.NotZero(t, first)
	require.NoError(t, c.Kill())
	require.Eventually(t, func() bool { return c.PID() != 0 && c.PID() != first }, timeout, 5*time.Millisecond)
	require.Empty(t, c.Exits(), "being killed is what faults do")
	require.Equal(t, 2, c.Starts())

	c.Remove()
	require.Zero(t, c.PID())
	require.NoError(t, c.Kill(), "that it is down is no error")
}

func TestChildThatEndsByItselfIsNoticed(t *testing.T) {
	c := sleeper(t, "sleep 0.01; exit 3")
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { return len(c.Exits()) > 1 }, timeout, 5*time.Millisecond)
	c.Remove()
	require.Equal(t, "exit status 3", c.Exits()[0])
}

func TestChildStopsInOrder(t *testing.T) {
	c := sleeper(t, `trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done`)
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { b, _ := os.ReadFile(c.LogPath()); return string(b) == "up\n" }, timeout, 5*time.Millisecond)
	_, err := c.Stop(timeout)
	require.NoError(t, err)
	require.Zero(t, c.PID())
	require.NoError(t, c.Start(), "and can be started again")
}

func TestChildThatDoesNotStopIsToldOf(t *testing.T) {
	c := sleeper(t, `trap '' TERM; echo up; while :; do sleep 0.01; done`)
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { b, _ := os.ReadFile(c.LogPath()); return string(b) == "up\n" }, timeout, 5*time.Millisecond)
	_, err := c.Stop(50 * time.Millisecond)
	require.ErrorContains(t, err, "had not ended")
	require.Zero(t, c.PID())

	c = sleeper(t, `trap 'exit 4' TERM; echo up; while :; do sleep 0.01; done`)
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { b, _ := os.ReadFile(c.LogPath()); return string(b) == "up\n" }, timeout, 5*time.Millisecond)
	_, err = c.Stop(timeout)
	require.ErrorContains(t, err, "exit status 4")
}

func TestAbandonedChildStaysDead(t *testing.T) {
	c := sleeper(t, "exec sleep 1000")
	require.NoError(t, c.Start())
	c.Abandon()
	require.NotZero(t, c.PID())
	require.NoError(t, c.Kill())
	require.Eventually(t, func() bool { return c.PID() == 0 }, timeout, 5*time.Millisecond)
	c.kept.Wait()
	require.Equal(t, 1, c.Starts())
}

func TestPausedChildDoesNothing(t *testing.T) {
	c := sleeper(t, "exec sleep 1000")
	require.NoError(t, c.Start())
	state := func() string {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID()) + "/stat")
		require.NoError(t, err)
		return strings.Fields(string(b[strings.LastIndexByte(string(b), ')'):]))[1]
	}
	require.NoError(t, c.Pause())
	require.Eventually(t, func() bool { return state() == "T" }, timeout, 5*time.Millisecond)
	require.NoError(t, c.Resume())
	require.Eventually(t, func() bool { return state() != "T" }, timeout, 5*time.Millisecond)
}

func TestMarksAreArmedAndTaken(t *testing.T) {
	s := &Environment{Config: Config{Dir: t.TempDir()}}
	c := newChild("child", "", nil)
	armed := filepath.Join(s.faultDir("child"), string(fault.WorkRead)+fault.KillSuffix)

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.KillAt(ctx, c, fault.WorkRead) }()
	require.Eventually(t, func() bool { return os.Remove(armed) == nil }, timeout, time.Millisecond)
	require.NoError(t, <-done, "the file is gone: who removed it is dead")

	cancel()
	require.ErrorIs(t, s.KillAt(ctx, c, fault.WorkRead), context.Canceled)
	require.NoFileExists(t, armed)

	heal, err := s.FailAt(c, fault.SpoolSync)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(s.faultDir("child"), string(fault.SpoolSync)+fault.ErrorSuffix))
	require.NoError(t, heal())
	require.Error(t, heal())
}

func TestClockIsSetWrong(t *testing.T) {
	date, err := exec.LookPath("date")
	require.NoError(t, err)
	c, err := newClock(t.TempDir(), date)
	if errors.Is(err, ErrNotHere) {
		t.Skip(err)
	}
	require.NoError(t, err)
	now := func() time.Time {
		var out []byte
		require.NoError(t, c.first(func() (err error) {
			out, err = exec.Command("date", "+%s").Output()
			return err
		}))
		seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
		require.NoError(t, err)
		return time.Unix(seconds, 0)
	}
	for _, wrong := range []time.Duration{0, time.Hour, -time.Hour} {
		require.NoError(t, c.Set(wrong))
		require.WithinDuration(t, time.Now().Add(wrong), now(), time.Minute)
	}
}

func TestDiskFillsUp(t *testing.T) {
	const size = 4 << 20
	d, err := newDisk(filepath.Join(t.TempDir(), "disk"), size, 0o700)
	if errors.Is(err, ErrNotHere) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, d.close()) }()
	require.NoError(t, d.Fill(1<<20))
	free, err := d.Free()
	require.NoError(t, err)
	require.InDelta(t, 1<<20, free, 64<<10)
	path := filepath.Join(d.dir, "more")
	require.ErrorIs(t, os.WriteFile(path, make([]byte, size), 0o600), syscall.ENOSPC)
	require.NoError(t, os.Remove(path))
	require.NoError(t, d.Empty())
	require.NoError(t, os.WriteFile(path, make([]byte, size/2), 0o600))
}
