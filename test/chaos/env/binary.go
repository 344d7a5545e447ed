package env

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Binary is the program under test.
type Binary struct {
	Path     string
	settings map[string]string // the environment variable of each key
}

// Build builds the program with its fault marks, and with the race detector
// when told to, into dir.
func Build(ctx context.Context, dir string, race bool) (*Binary, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	path := filepath.Join(dir, "eventpulse")
	args := []string{"build", "-tags", "chaos", "-o", path}
	if race {
		args = append(args, "-race")
	}
	build := exec.CommandContext(ctx, "go", append(args, ".")...)
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return Use(ctx, path)
}

// Use takes a program that is built already. Without the tag chaos its fault
// marks do nothing, and faults that need them fail.
func Use(ctx context.Context, path string) (*Binary, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	b := &Binary{Path: path, settings: map[string]string{}}
	for _, role := range []string{"serve", "work"} {
		cmd := exec.CommandContext(ctx, path, "config", "--role", role, "--output", "json")
		cmd.Env, cmd.Dir = []string{"PATH=" + os.Getenv("PATH"), "EVENTPULSE_DATABASE_URL=postgres://nobody@localhost/none"}, os.TempDir()
		out, err := cmd.Output()
		if err != nil {
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				err = fmt.Errorf("%w: %s", err, exit.Stderr)
			}
			return nil, fmt.Errorf("ask the program for its settings: %w", err)
		}
		if err := b.learn(out); err != nil {
			return nil, fmt.Errorf("ask the program for its settings: %w", err)
		}
	}
	return b, nil
}

func (b *Binary) learn(config []byte) error {
	var entries []struct{ Key, Env string }
	if err := json.Unmarshal(config, &entries); err != nil {
		return err
	}
	for _, e := range entries {
		b.settings[e.Key] = e.Env
	}
	return nil
}
