package spool

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// The states of a breaker, as they stand in its metric.
const (
	breakerClosed uint32 = iota
	breakerHalfOpen
	breakerOpen
)

// failuresToOpen is how many failures in a row open a breaker, other than
// time-outs: of those the first one does.
const failuresToOpen = 3

// breaker is a circuit breaker
// (https://martinfowler.com/bliki/CircuitBreaker.html): it keeps requests from
// waiting for a stream that does not answer. While it is open one attempt at a
// time, now and then, finds out whether the stream is back. Its methods may be
// called concurrently.
type breaker struct {
	interval time.Duration
	// changed is called at every change between closed and open.
	changed func(open bool, cause error)

	// word is the state in the lower two bits and above it how often the
	// breaker has opened, so that a call that began before does not count.
	word     atomic.Uint64
	failures atomic.Int32

	mu      sync.Mutex
	probeAt time.Time
}

func newBreaker(interval time.Duration, changed func(open bool, cause error)) *breaker {
	return &breaker{interval: interval, changed: changed}
}

func (b *breaker) state() uint32 { return uint32(b.word.Load() & 3) }

// allow says whether a request may try the stream. Its outcome is to be
// reported with the ticket.
func (b *breaker) allow() (ticket uint64, ok bool) {
	word := b.word.Load()
	return word, word&3 == uint64(breakerClosed)
}

// succeeded reports that a request allowed reached the stream.
func (b *breaker) succeeded(ticket uint64) {
	if b.failures.Load() != 0 && b.word.Load() == ticket {
		b.failures.Store(0)
	}
}

// failed reports that a request did not reach the stream. It counts if the
// request was allowed, and the breaker has not changed since.
func (b *breaker) failed(ticket uint64, err error) {
	b.mu.Lock()
	if ticket&3 != uint64(breakerClosed) || b.word.Load() != ticket ||
		!isTimeout(err) && b.failures.Add(1) < failuresToOpen {
		b.mu.Unlock()
		return
	}
	b.failures.Store(0)
	b.set(breakerOpen, ticket>>2+1)
	b.mu.Unlock()
	b.changed(true, err)
}

// set changes the state; when it is open, the next probe is due later.
func (b *breaker) set(state uint32, generation uint64) {
	b.word.Store(generation<<2 | uint64(state))
	if state == breakerOpen {
		b.probeAt = time.Now().Add(b.interval + rand.N(b.interval))
	}
}

// probe says whether the caller is to try a stream that has failed. It then
// has to report the outcome with probed.
func (b *breaker) probe() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	word := b.word.Load()
	if uint32(word&3) != breakerOpen || time.Now().Before(b.probeAt) {
		return false
	}
	b.set(breakerHalfOpen, word>>2)
	return true
}

// probed reports the outcome of a probe: whether requests may try the stream
// again.
func (b *breaker) probed(ok bool) {
	b.mu.Lock()
	generation := b.word.Load() >> 2
	if !ok {
		b.set(breakerOpen, generation)
		b.mu.Unlock()
		return
	}
	b.set(breakerClosed, generation)
	b.mu.Unlock()
	b.changed(false, nil)
}

// untilProbe returns how long it is until a probe is due. While another one is
// under way that is a guess.
func (b *breaker) untilProbe() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state() == breakerHalfOpen {
		return b.interval
	}
	return max(time.Until(b.probeAt), time.Millisecond)
}
