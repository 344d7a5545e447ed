//go:build chaos

package fault

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Point ends the process, without a trace or a clean-up, when m is armed.
func Point(m Mark) {
	dir := os.Getenv(DirVariable)
	if dir == "" {
		return
	}
	// Who removes the file is who dies: one process, once.
	if os.Remove(filepath.Join(dir, string(m)+KillSuffix)) != nil {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Error returns an input/output error while m is armed, else nil.
func Error(m Mark) error {
	dir := os.Getenv(DirVariable)
	if dir == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, string(m)+ErrorSuffix)); err != nil {
		return nil
	}
	return fmt.Errorf("made to fail at %s: %w", m, syscall.EIO)
}
