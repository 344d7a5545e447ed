package servers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // until ready; a loaded machine is slow
	stopTimeout  = 20 * time.Second // for a graceful end, then SIGKILL
	pollInterval = 10 * time.Millisecond
	maxLogTail   = 64 << 10
)

// process is one run of a server binary. Methods are safe for concurrent use.
type process struct {
	pid  int
	done chan struct{} // closed once the process has been reaped

	mu  sync.Mutex
	err error // what Wait said, once done is closed
}

// startProcess runs argv with its output appended to logPath. The process is
// killed by the kernel when ours ends, where the kernel can do that.
func startProcess(argv []string, dir, logPath string, cred *syscall.Credential) (*process, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open server log: %w", err)
	}
	defer func() { _ = out.Close() }() // the child has a descriptor of its own

	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = procAttr(cred)

	p := &process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal is sent when the *thread* that forked
		// ends, so the goroutine keeps its thread until the child is gone.
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(argv[0]), err)
	}
	return p, nil
}

// exited reports whether the process has ended, and how.
func (p *process) exited() (bool, error) {
	select {
	case <-p.done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return true, p.err
	default:
		return false, nil
	}
}

// signal sends sig to the process itself unless it has been reaped.
func (p *process) signal(sig syscall.Signal) error {
	if gone, _ := p.exited(); gone {
		return errors.New("server is not running")
	}
	return syscall.Kill(p.pid, sig)
}

// wait waits until the process has been reaped, at most d.
func (p *process) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		return false
	}
}

// freeze stops the process and, after it, every child: stopped itself it can
// fork no more, so the second look is complete.
func (p *process) freeze() ([]int, error) {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	var all []int
	seen := map[int]bool{}
	for {
		children, err := childrenOf(p.pid)
		if err != nil {
			return all, err
		}
		fresh := 0
		for _, c := range children {
			if !seen[c] {
				seen[c] = true
				fresh++
				all = append(all, c)
				_ = syscall.Kill(c, syscall.SIGSTOP) // it may have just ended
			}
		}
		if fresh == 0 {
			return all, nil
		}
	}
}

// thaw lets the children and then the process go on.
func (p *process) thaw() error {
	children, err := childrenOf(p.pid)
	for _, c := range children {
		_ = syscall.Kill(c, syscall.SIGCONT)
	}
	return errors.Join(err, p.signal(syscall.SIGCONT))
}

// kill ends the process and all its children at once and waits for it.
func (p *process) kill() error {
	children, err := p.freeze()
	for _, c := range children {
		_ = syscall.Kill(c, syscall.SIGKILL)
	}
	if gone, _ := p.exited(); !gone {
		err = errors.Join(err, p.signal(syscall.SIGKILL))
	}
	if !p.wait(stopTimeout) {
		return errors.Join(err, fmt.Errorf("process %d survives SIGKILL", p.pid))
	}
	for _, c := range children {
		if !poll(stopTimeout, func() bool { return !running(c) }) {
			err = errors.Join(err, fmt.Errorf("process %d survives SIGKILL", c))
		}
	}
	return err
}

// stop asks the process to end with sig and kills it when it does not.
func (p *process) stop(sig syscall.Signal) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	if p.wait(stopTimeout) {
		return nil
	}
	return errors.Join(fmt.Errorf("no end within %v of %v", stopTimeout, sig), p.kill())
}

// poll calls ok until it is true, at most d.
func poll(d time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(d)
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pollInterval)
	}
	return true
}

// tail returns the end of a file, or why it cannot be read.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > maxLogTail {
		_, _ = f.Seek(size-maxLogTail, io.SeekStart)
	} else {
		_, _ = f.Seek(0, io.SeekStart)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
