//go:build chaos

package fault_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/eventpulse/eventpulse/pkg/fault"
)

func TestMain(m *testing.M) {
	if os.Getenv("FAULT_TEST_CHILD") != "" {
		fault.Point(fault.WorkRead)
		fault.Point(fault.WorkAfter)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// arm makes the file that arms m and returns its path.
func arm(t *testing.T, dir string, m fault.Mark, suffix string) string {
	t.Helper()
	path := filepath.Join(dir, string(m)+suffix)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPointKillsOnce(t *testing.T) {
	dir := t.TempDir()
	armed := arm(t, dir, fault.WorkAfter, fault.KillSuffix)
	child := func() error {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FAULT_TEST_CHILD=1", fault.DirVariable+"="+dir)
		return cmd.Run()
	}

	var exit *exec.ExitError
	if err := child(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child was to be killed, it ended with %v", err)
	}
	if _, err := os.Stat(armed); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the mark is still armed: %v", err)
	}
	if err := child(); err != nil {
		t.Fatalf("nothing is armed any more, the child ended with %v", err)
	}
}

func TestErrorLastsWhileArmed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(fault.DirVariable, dir)
	armed := arm(t, dir, fault.SpoolSync, fault.ErrorSuffix)
	for range 2 {
		if err := fault.Error(fault.SpoolSync); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
	}
	if err := os.Remove(armed); err != nil {
		t.Fatal(err)
	}
	if err := fault.Error(fault.SpoolSync); err != nil {
		t.Fatal(err)
	}
}
