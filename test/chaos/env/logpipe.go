package env

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// logPipe is where a child logs to a reader, as a container does, instead of to
// a file. The reader copies what it reads into the file until it stalls or goes.
type logPipe struct {
	r, w *os.File
	gate sync.Mutex // held while the reader is stalled
	done chan struct{}
}

// newLogPipe begins reading into the file at path.
func newLogPipe(path string) (*logPipe, error) {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	p := &logPipe{done: make(chan struct{})}
	if p.r, p.w, err = os.Pipe(); err != nil {
		_ = out.Close()
		return nil, err
	}
	go func() {
		defer close(p.done)
		defer func() { _ = out.Close() }()
		buffer := make([]byte, 4096)
		for {
			n, err := p.r.Read(buffer)
			p.gate.Lock()
			_, _ = out.Write(buffer[:n])
			p.gate.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p, nil
}

// hangUp closes the reader: what is written from then on fails.
func (p *logPipe) hangUp() error {
	err := p.r.Close()
	<-p.done
	return err
}

// StallLog stops reading what the child logs; [Config.PipedLogs] must be set.
func (c *Child) StallLog() error {
	return c.withLog(func(p *logPipe) error { p.gate.Lock(); return nil })
}

// ResumeLog undoes StallLog.
func (c *Child) ResumeLog() error {
	return c.withLog(func(p *logPipe) error { p.gate.Unlock(); return nil })
}

// HangUpLog ends the reader of what the child logs, for good.
func (c *Child) HangUpLog() error { return c.withLog((*logPipe).hangUp) }

func (c *Child) withLog(do func(*logPipe) error) error {
	if c.logs == nil {
		return fmt.Errorf("%s logs into a file", c.name)
	}
	return do(c.logs)
}

// pipeLog makes the child, which has not been started, log to a reader.
func (c *Child) pipeLog() (err error) {
	c.logs, err = newLogPipe(c.logPath)
	return err
}

// output is where a life of the child writes, to be closed once it has started.
func (c *Child) output() (io.Closer, *os.File, error) {
	if c.logs != nil {
		return io.NopCloser(nil), c.logs.w, nil
	}
	out, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	return out, out, err
}
