package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const dataName = "data"

// verbs is what both servers can do.
type verbs struct {
	name     string
	dir      string
	logPath  string
	port     int
	graceful syscall.Signal
	launch   func() (*process, error)

	own     *place // nil when the directory is somebody else's
	proc    *process
	paused  bool
	settled bool // has been up at its port, which is then kept
	tb      testing.TB
}

// settle finds the server a directory and a port.
func (v *verbs) settle(dir, name string) error {
	v.name = name
	if dir == "" {
		own, err := newPlace()
		if err != nil {
			return err
		}
		v.own, dir = own, own.dir
	} else {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return fmt.Errorf("%s directory: %w", name, err)
		}
		if err := os.MkdirAll(abs, 0o755); err != nil {
			return fmt.Errorf("%s directory: %w", name, err)
		}
		dir = abs
	}
	v.dir, v.logPath = dir, filepath.Join(dir, name+".log")
	var err error
	v.port, err = ReservePort()
	return err
}

// attach ties the server to a test: it ends with it, its output is shown when
// it failed, and so are errors of the verbs.
func (v *verbs) attach(tb testing.TB) {
	v.tb = tb
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s at %s said:\n%s", v.name, v.Addr(), v.Log())
		}
		if err := v.Close(); err != nil {
			tb.Errorf("%s: close: %v", v.name, err)
		}
	})
}

// Addr returns host:port.
func (v *verbs) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(v.port)) }

// Dir returns the directory that holds the server's data and log.
func (v *verbs) Dir() string { return v.dir }

// PID returns the id of the server's main process, 0 when it is down.
func (v *verbs) PID() int {
	if v.proc == nil {
		return 0
	}
	return v.proc.pid
}

// Log returns the end of what the server wrote, of all its runs.
func (v *verbs) Log() string { return tail(v.logPath) }

// Start starts the server and returns once it answers. After the first time
// it is always the same port.
func (v *verbs) Start() error {
	if v.proc != nil {
		return v.report("start", errors.New("already running"))
	}
	const attempts = 10
	var err error
	for range attempts {
		if v.proc, err = v.launch(); err == nil {
			v.settled = true
			return nil
		}
		if v.proc != nil {
			if gone, _ := v.proc.exited(); !gone {
				err = errors.Join(err, v.proc.kill())
			}
			v.proc = nil
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
		if !v.settled {
			ReleasePort(v.port)
			if v.port, err = ReservePort(); err != nil {
				break
			}
		}
	}
	return v.report("start", err)
}

// Stop ends the server in order and waits for it.
func (v *verbs) Stop() error {
	if v.proc == nil {
		return v.report("stop", errors.New("not running"))
	}
	var err error
	if v.paused {
		err = v.thaw()
	}
	err = errors.Join(err, v.proc.stop(v.graceful))
	v.proc = nil
	return v.report("stop", err)
}

// Kill ends the server and all its processes with SIGKILL and waits for it.
func (v *verbs) Kill() error {
	if v.proc == nil {
		return v.report("kill", errors.New("not running"))
	}
	err := v.proc.kill()
	v.proc, v.paused = nil, false
	return v.report("kill", err)
}

// Pause freezes the server and all its processes with SIGSTOP: connections
// stay open and are still accepted by the kernel, nothing is answered.
func (v *verbs) Pause() error {
	if v.proc == nil {
		return v.report("pause", errors.New("not running"))
	}
	_, err := v.proc.freeze()
	v.paused = true
	return v.report("pause", err)
}

// Resume undoes Pause.
func (v *verbs) Resume() error {
	if v.proc == nil {
		return v.report("resume", errors.New("not running"))
	}
	return v.report("resume", v.thaw())
}

// Close ends the server when it runs, and removes its directory when that was
// a throw-away one.
func (v *verbs) Close() error {
	var err error
	if v.proc != nil {
		// Nothing of it is needed any more, so no time is spent on order,
		// except that an orderly end of PostgreSQL returns its segment.
		if gone, _ := v.proc.exited(); !gone {
			err = v.proc.kill()
		}
		v.proc = nil
	}
	ReleasePort(v.port)
	releaseSharedMemory(filepath.Join(v.dir, dataName))
	if v.own != nil {
		err = errors.Join(err, v.own.remove())
		v.own = nil
	}
	return err
}

func (v *verbs) thaw() error {
	v.paused = false
	return v.proc.thaw()
}

// report adds what was done to err and tells the test, if there is one.
func (v *verbs) report(verb string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %s: %w", v.name, verb, err)
	if v.tb != nil {
		v.tb.Helper()
		v.tb.Error(err)
	}
	return err
}

// errPortTaken says that somebody else listens on the port.
var errPortTaken = errors.New("port is taken")

// awaitReady polls ready until it succeeds, the process ends or time is up.
func (v *verbs) awaitReady(p *process, ready func() error) error {
	logBefore := len(v.Log())
	var last error
	if poll(startTimeout, func() bool {
		if gone, _ := p.exited(); gone {
			return true
		}
		last = ready()
		return last == nil
	}) {
		gone, err := p.exited()
		if !gone {
			return nil
		}
		log := v.Log()
		if strings.Contains(log[min(logBefore, len(log)):], "Address already in use") {
			return fmt.Errorf("ended at once (%v): %w", err, errPortTaken)
		}
		return fmt.Errorf("ended at once (%v); it said:\n%s", err, log)
	}
	return fmt.Errorf("not ready within %v; it said:\n%s\nlast attempt: %w", startTimeout, v.Log(), last)
}
