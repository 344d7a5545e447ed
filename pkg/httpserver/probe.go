package httpserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// probeTimeout bounds every probe, whatever the probed does.
const probeTimeout = time.Second

// ErrNoAnswer is what [Probe.Run] returns when the check did not return in time.
var ErrNoAnswer = errors.New("no answer within " + probeTimeout.String())

// Probe runs a check at most once at a time: who asks while it is under way
// waits for the same answer, so that a check that hangs holds one goroutine
// and not one per question. Its method may be called concurrently.
type Probe struct {
	check func(ctx context.Context) error

	mu      sync.Mutex
	current *probing
}

// NewProbe returns a probe that runs check, with a deadline of a second. A panic
// in it is an error.
func NewProbe(check func(ctx context.Context) error) *Probe { return &Probe{check: check} }

type probing struct {
	done chan struct{}
	err  error // valid once done is closed
}

// Run returns what the check returns, or an error after a second or when ctx ends.
func (p *Probe) Run(ctx context.Context) error {
	p.mu.Lock()
	now := p.current
	if now == nil {
		now = &probing{done: make(chan struct{})}
		p.current = now
		go p.do(now)
	}
	p.mu.Unlock()

	timeout := time.NewTimer(probeTimeout)
	defer timeout.Stop()
	select {
	case <-now.done:
		return now.err
	case <-timeout.C:
		return ErrNoAnswer
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Probe) do(now *probing) {
	// Its own context, since it answers for everybody who waits.
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			now.err = fmt.Errorf("check panicked: %v", v)
		}
		p.mu.Lock()
		p.current = nil
		p.mu.Unlock()
		close(now.done)
	}()
	now.err = p.check(ctx)
}
