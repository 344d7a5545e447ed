package env

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed shim/clock.c.txt
var clockSource string

// Clock is the wall clock of a server, which can be set wrong. Programs in Go
// do not ask the C library for the time, so theirs cannot.
type Clock struct {
	dir  string // holds programs that run the real ones under the clock
	file string
}

// newClock makes a clock for the programs named, in dir.
func newClock(dir string, programs ...string) (*Clock, error) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		return nil, fmt.Errorf("%w: setting a clock wrong needs a C compiler (cc)", ErrNotHere)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make clock: %w", err)
	}
	c := &Clock{dir: dir, file: filepath.Join(dir, "shift")}
	library := filepath.Join(dir, "clock.so")
	build := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-w", "-x", "c", "-o", library, "-")
	build.Stdin = strings.NewReader(clockSource)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: compile the clock: %w: %s", ErrNotHere, err, out)
	}
	if err := os.WriteFile(c.file, make([]byte, 8), 0o644); err != nil {
		return nil, fmt.Errorf("make clock: %w", err)
	}
	for _, program := range programs {
		script := fmt.Sprintf("#!/bin/sh\nexec env LD_PRELOAD=%s CHAOS_CLOCK_FILE=%s %s \"$@\"\n", library, c.file, program)
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(program)), []byte(script), 0o755); err != nil {
			return nil, fmt.Errorf("make clock: %w", err)
		}
	}
	return c, nil
}

// Set sets the clock wrong by d, to the second; zero is right.
func (c *Clock) Set(d time.Duration) error {
	f, err := os.OpenFile(c.file, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("set clock: %w", err)
	}
	defer func() { _ = f.Close() }()
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], uint64(int64(d/time.Second)))
	if _, err := f.WriteAt(b[:], 0); err != nil {
		return fmt.Errorf("set clock: %w", err)
	}
	return nil
}

// first calls f while the clock's programs are found before the real ones.
func (c *Clock) first(f func() error) error {
	path := os.Getenv("PATH")
	if err := os.Setenv("PATH", c.dir+string(os.PathListSeparator)+path); err != nil {
		return err
	}
	defer func() { _ = os.Setenv("PATH", path) }()
	return f()
}
