// Package process runs programs for the benchmark and looks at what they use.
// Whatever it starts ends with the process that started it, even when that is
// killed.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs until it is stopped. Its methods are safe for
// concurrent use.
type Process struct {
	name    string
	pid     int
	logPath string
	done    chan struct{} // closed once it has been reaped
	err     error         // how it ended, once done is closed
}

// Start starts argv in dir with nothing in its environment but what every
// program needs, and its output appended to logPath.
func Start(dir, logPath string, argv ...string) (*Process, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", argv[0], err)
	}
	defer func() { _ = out.Close() }() // the child has a descriptor of its own

	cmd := exec.Command(argv[0], argv[1:]...)
	prepare(cmd)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC"}
	p := &Process{name: strings.Join(argv[:min(2, len(argv))], " "), logPath: logPath, done: make(chan struct{})}
	started := make(chan error, 1)
	go onOneThread(func() {
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	return p, nil
}

// PID returns the id of the process.
func (p *Process) PID() int { return p.pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Log returns the end of what the process wrote.
func (p *Process) Log() string {
	const most = 2000
	text, _ := os.ReadFile(p.logPath)
	return string(text[max(0, len(text)-most):])
}

// Stop ends the process with SIGTERM, or with SIGKILL where that takes longer
// than limit. That it ended before is an error.
func (p *Process) Stop(limit time.Duration) error {
	select {
	case <-p.done:
		return fmt.Errorf("%s had ended by itself (%v); it said:\n%s", p.name, p.err, p.Log())
	default:
	}
	if err := syscall.Kill(p.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s had not ended %v after SIGTERM", p.name, limit)
	}
}

// Output runs argv to its end, killed when ctx ends before, and returns what
// it wrote to its standard output. What it wrote to the other is in the error.
func Output(ctx context.Context, argv ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	prepare(cmd)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	ended := make(chan error, 1)
	go onOneThread(func() { ended <- cmd.Run() })
	if err := <-ended; err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		said := append(stderr.Bytes(), stdout.Bytes()...)
		return nil, fmt.Errorf("%s: %s: %w", argv[0], bytes.TrimSpace(said[max(0, len(said)-2000):]), err)
	}
	return stdout.Bytes(), nil
}

// prepare keeps a Ctrl-C at the terminal away from the child, whom we end in
// order, and has the kernel end it with us.
func prepare(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// onOneThread runs f on a thread of its own: the kernel sends the death signal
// when the thread that forked ends.
func onOneThread(f func()) {
	runtime.LockOSThread()
	f()
}
