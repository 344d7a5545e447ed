package env

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// restartPause is how long a process that died stays dead, as with a
// supervisor of containers.
const restartPause = 200 * time.Millisecond

// Child is a process of EventPulse that is started again when it dies. Its
// methods are safe for concurrent use.
type Child struct {
	name    string
	argv    []string
	env     []string
	logPath string
	logs    *logPipe // nil when it logs into the file itself

	mu      sync.Mutex
	wanted  bool
	current *run
	kept    sync.WaitGroup
	exits   []string
	starts  int
}

// run is one life of a child.
type run struct {
	pid  int
	done chan struct{} // closed once it has been reaped
	err  error         // how it ended, once done is closed
}

// newChild prepares a child; its output is appended to logPath.
func newChild(name, logPath string, env []string, argv ...string) *Child {
	return &Child{name: name, argv: argv, env: env, logPath: logPath}
}

// Name returns what the child is called in logs and findings.
func (c *Child) Name() string { return c.name }

// LogPath returns the file with all its output.
func (c *Child) LogPath() string { return c.logPath }

// Start starts the child and keeps it going until Stop or Remove.
func (c *Child) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted {
		return fmt.Errorf("%s runs already", c.name)
	}
	r, err := c.launch()
	if err != nil {
		return err
	}
	c.wanted = true
	c.kept.Go(func() { c.keep(r) })
	return nil
}

// keep starts the child again whenever it ends, as long as it is wanted.
func (c *Child) keep(r *run) {
	for {
		<-r.done
		c.mu.Lock()
		if !c.wanted {
			c.mu.Unlock()
			return
		}
		if how := unasked(r.err); how != "" {
			c.exits = append(c.exits, how)
		}
		c.mu.Unlock()
		time.Sleep(restartPause)

		c.mu.Lock()
		if !c.wanted {
			c.mu.Unlock()
			return
		}
		next, err := c.launch()
		if err != nil {
			c.exits = append(c.exits, err.Error())
			c.wanted = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		r = next
	}
}

// unasked says how a process ended that ended by itself, "" when it was
// killed: that is what faults do.
func unasked(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return ""
		}
	}
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// launch starts one life. The caller holds the lock.
func (c *Child) launch() (*run, error) {
	closer, out, err := c.output()
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", c.name, err)
	}
	defer func() { _ = closer.Close() }() // the child has a descriptor of its own
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	r := &run{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal is sent when the thread that forked ends.
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			r.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			r.err = cmd.Wait()
			close(r.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	c.current = r
	c.starts++
	return r, nil
}

// PID returns the id of the process, 0 when it is down.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid()
}

func (c *Child) pid() int {
	if c.current == nil {
		return 0
	}
	select {
	case <-c.current.done:
		return 0
	default:
		return c.current.pid
	}
}

// Starts returns how often the child was started.
func (c *Child) Starts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.starts
}

// Exits returns how the child ended, each time that nobody asked for it.
func (c *Child) Exits() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.exits)
}

// signal sends sig to the child if it is up; that it has just died is no
// error, because who kills a mark does so at a time of its own.
func (c *Child) signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid := c.pid()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%v to %s: %w", sig, c.name, err)
	}
	return nil
}

// Kill ends the process with SIGKILL; it is started again.
func (c *Child) Kill() error { return c.signal(syscall.SIGKILL) }

// Pause freezes the process with SIGSTOP.
func (c *Child) Pause() error { return c.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (c *Child) Resume() error { return c.signal(syscall.SIGCONT) }

// Stop ends the process in order and returns how long that took. It is not
// started again. An end that takes longer than the limit, or that is not in
// order, is an error.
func (c *Child) Stop(limit time.Duration) (time.Duration, error) {
	r := c.leave()
	defer c.kept.Wait() // or a second Start would have two keepers
	if r == nil {
		return 0, nil
	}
	begin := time.Now()
	_ = syscall.Kill(r.pid, syscall.SIGCONT)
	if err := syscall.Kill(r.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return 0, fmt.Errorf("stop %s: %w", c.name, err)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		_ = syscall.Kill(r.pid, syscall.SIGKILL)
		<-r.done
		return time.Since(begin), fmt.Errorf("%s had not ended %v after SIGTERM", c.name, limit)
	}
	if r.err != nil {
		return time.Since(begin), fmt.Errorf("%s ended after SIGTERM with %w", c.name, r.err)
	}
	return time.Since(begin), nil
}

// Abandon leaves the process as it is, and dead once it dies.
func (c *Child) Abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = false
}

// Remove kills the process for good.
func (c *Child) Remove() {
	r := c.leave()
	defer c.kept.Wait()
	if r == nil {
		return
	}
	_ = syscall.Kill(r.pid, syscall.SIGKILL)
	<-r.done
}

// leave makes the child unwanted and returns its life, nil when it is down.
func (c *Child) leave() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = false
	if c.pid() == 0 {
		return nil
	}
	return c.current
}
