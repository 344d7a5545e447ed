package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
)

// KillAt makes the child die at the mark, and returns once it has. When ctx
// ends before it came by there, that is an error that wraps ctx's.
func (s *Environment) KillAt(ctx context.Context, c *Child, m fault.Mark) error {
	path, err := s.arm(c, m, fault.KillSuffix)
	if err != nil {
		return err
	}
	gone := func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist)
	}
	if err := until(ctx, 5*time.Millisecond, gone); err != nil {
		if os.Remove(path) != nil {
			return nil // taken at the last moment
		}
		return fmt.Errorf("%s did not come by %s: %w", c.Name(), m, err)
	}
	return nil
}

// FailAt makes the operation of the child at the mark fail until the returned
// function is called.
func (s *Environment) FailAt(c *Child, m fault.Mark) (heal func() error, err error) {
	path, err := s.arm(c, m, fault.ErrorSuffix)
	if err != nil {
		return nil, err
	}
	return func() error { return os.Remove(path) }, nil
}

func (s *Environment) arm(c *Child, m fault.Mark, suffix string) (string, error) {
	dir := s.faultDir(c.Name())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("arm %s: %w", m, err)
	}
	path := filepath.Join(dir, string(m)+suffix)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return "", fmt.Errorf("arm %s: %w", m, err)
	}
	return path, nil
}

// until calls ok at the interval until it is true or ctx ends, whose error is
// then returned.
func until(ctx context.Context, interval time.Duration, ok func() bool) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}
