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

// errNoAnswer is a probe that did not return in time.
var errNoAnswer = errors.New("no answer within " + probeTimeout.String())

// probe runs a check at most once at a time: who asks while it is under way
// waits for the same answer, so that a check that hangs holds one goroutine
// and not one per question.
type probe struct {
	check func(ctx context.Context) error

	mu      sync.Mutex
	current *probing
}

type probing struct {
	done chan struct{}
	err  error // valid once done is closed
}

// run returns what the check says, or an error after [probeTimeout] or when
// ctx ends.
func (p *probe) run(ctx context.Context) error {
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
		return errNoAnswer
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *probe) do(now *probing) {
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
