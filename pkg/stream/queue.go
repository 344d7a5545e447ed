package stream

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// eventOverhead is about what an event costs on the wire and in the queue
// beside its own text, in bytes.
const eventOverhead = 192

// What a pipeline holds at most, unless one request alone holds more.
const (
	pipelineEvents = 256
	pipelineBytes  = 1 << 20
)

// The states of a request. Whoever moves it on from waiting owns its events:
// the flusher that sends them, or the caller that gives up.
const (
	waiting uint32 = iota
	sent
	abandoned
)

// request is the events of one call of Publish.
type request struct {
	events []event.Event
	count  int // of the events, also when they are given up
	bytes  int
	state  atomic.Uint32
	done   chan error // buffered: nobody may be waiting for the answer
}

func newRequest(events []event.Event) *request {
	r := &request{events: events, count: len(events), done: make(chan error, 1)}
	for i := range events {
		e := &events[i]
		r.bytes += eventOverhead + len(e.Type) + len(e.Source) + len(e.Payload) + len(e.Metadata)
	}
	return r
}

// abandon gives the request up; false says that it is on its way to Redis.
func (r *request) abandon() bool {
	if !r.state.CompareAndSwap(waiting, abandoned) {
		return false
	}
	r.events = nil // what stays in the queue is only a husk
	return true
}

// queue holds the requests that wait for a flusher. An abandoned request
// counts until a flusher has passed it: when Redis hangs, the queue fills up
// and callers fail at once.
type queue struct {
	maxEvents, maxBytes int
	patience            time.Duration
	gauge               prometheus.Gauge

	mu       sync.Mutex
	ready    sync.Cond
	requests []*request
	head     int // requests[:head] are taken
	events   int
	bytes    int
	busy     int       // flushers with a pipeline in flight
	started  time.Time // when the latest of these was taken
	closed   bool
}

func newQueue(cfg Config, gauge prometheus.Gauge) *queue {
	q := &queue{maxEvents: cfg.QueueEvents, maxBytes: cfg.QueueBytes, patience: cfg.PublishTimeout, gauge: gauge}
	q.ready.L = &q.mu
	return q
}

// put queues r, or says why it cannot be taken.
func (q *queue) put(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return errClosed
	case q.events > 0 && (q.events+r.count > q.maxEvents || q.bytes+r.bytes > q.maxBytes):
		return errQueueFull
	case q.busy == flushers && time.Since(q.started) > q.patience:
		// Even the youngest pipeline is older than any request may get, so
		// waiting behind it is in vain.
		return errStalled
	}
	if q.head > 64 && q.head > len(q.requests)/2 {
		n := copy(q.requests, q.requests[q.head:])
		clear(q.requests[n:])
		q.requests, q.head = q.requests[:n], 0
	}
	q.requests = append(q.requests, r)
	q.events += r.count
	q.bytes += r.bytes
	q.gauge.Add(float64(r.count))
	q.ready.Signal()
	return nil
}

// take waits for requests and appends to batch those that make up the next
// pipeline. It returns nothing when the queue is closed and empty. The caller
// says with release when the pipeline is answered.
func (q *queue) take(batch []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(batch) == 0 {
		for q.head == len(q.requests) {
			if q.closed {
				return nil
			}
			q.ready.Wait()
			// Whoever else can run gets to queue first: a pipeline of one
			// costs nearly what one of thirty does. When nobody can, it is
			// over at once.
			q.mu.Unlock()
			runtime.Gosched()
			q.mu.Lock()
		}
		batch = q.pop(batch)
	}
	q.busy++
	q.started = time.Now()
	return batch
}

// pop moves requests from the queue to batch, up to what a pipeline holds.
func (q *queue) pop(batch []*request) []*request {
	var events, bytes int
	for q.head < len(q.requests) {
		r := q.requests[q.head]
		n := r.count
		if len(batch) > 0 && (events+n > pipelineEvents || bytes+r.bytes > pipelineBytes) {
			break
		}
		q.requests[q.head] = nil
		q.head++
		q.events -= n
		q.bytes -= r.bytes
		q.gauge.Sub(float64(n))
		if r.state.CompareAndSwap(waiting, sent) {
			batch = append(batch, r)
			events += n
			bytes += r.bytes
		}
	}
	if q.head == len(q.requests) {
		q.requests, q.head = q.requests[:0], 0
	}
	return batch
}

// release says that a pipeline taken is answered.
func (q *queue) release() {
	q.mu.Lock()
	q.busy--
	q.mu.Unlock()
}

// close refuses further requests; those queued can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ready.Broadcast()
}
