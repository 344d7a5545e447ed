package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

const (
	// flushTimeout is how long the end of the program waits for somebody to
	// read what it has logged.
	flushTimeout = time.Second
	// outputGrace is how long a result may still be written after a signal.
	outputGrace = time.Second
)

// errReaderGone says that nobody reads a command's result any more, as in
// "eventpulse dlq list | head".
var errReaderGone = errors.New("nobody reads the output any more")

// output is where a command writes its result. A write that blocks ends a
// little after the context does: the first SIGTERM is obeyed. The write itself
// then stays behind, in a goroutine that ends with the process.
type output struct {
	ctx context.Context
	w   io.Writer
}

type written struct {
	n   int
	err error
}

// Write implements [io.Writer]. Its error is errReaderGone when the other end
// is a pipe whose reader has gone.
func (o output) Write(p []byte) (int, error) {
	p = bytes.Clone(p) // the write may outlive this call
	done := make(chan written, 1)
	go func() {
		n, err := o.w.Write(p)
		done <- written{n, err}
	}()
	select {
	case r := <-done:
		return r.n, outputError(r.err)
	case <-o.ctx.Done():
	}
	grace := time.NewTimer(outputGrace)
	defer grace.Stop()
	select {
	case r := <-done:
		return r.n, outputError(r.err)
	case <-grace.C:
		return 0, fmt.Errorf("write the output: nobody read it in time: %w", o.ctx.Err())
	}
}

// Unwrap returns what o writes to.
func (o output) Unwrap() io.Writer { return o.w }

func outputError(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return errReaderGone
	}
	return err
}
