package spool

import (
	"sync"
	"sync/atomic"
)

// What waits for the disk at most. One request alone may be more.
const (
	queueBytes = 32 << 20
	groupBytes = 4 << 20
)

// The states of a request. Whoever moves it on from waiting decides: the
// committer that writes it, or the caller that gives up.
const (
	waiting uint32 = iota
	taken
	abandoned
)

// request is the records of one call of Publish.
type request struct {
	records []byte
	count   int
	state   atomic.Uint32
	done    chan error // buffered: nobody may be waiting for the answer
}

// queue holds the requests that wait for the committer.
type queue struct {
	mu       sync.Mutex
	ready    sync.Cond
	requests []*request
	bytes    int
	closed   bool
}

func newQueue() *queue {
	q := &queue{}
	q.ready.L = &q.mu
	return q
}

// put queues r, or says why it cannot be taken.
func (q *queue) put(r *request) *refusal {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return closed()
	case q.bytes > 0 && q.bytes+len(r.records) > queueBytes:
		return slow("%d bytes wait for it", q.bytes)
	}
	q.requests = append(q.requests, r)
	q.bytes += len(r.records)
	q.ready.Signal()
	return nil
}

// take waits for requests and appends to group those to be committed together,
// leaving out what was abandoned. It returns nothing when the queue is closed
// and empty.
func (q *queue) take(group []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(group) == 0 {
		for len(q.requests) == 0 {
			if q.closed {
				return nil
			}
			q.ready.Wait()
		}
		n, size := 0, 0
		for _, r := range q.requests {
			if n > 0 && size+len(r.records) > groupBytes {
				break
			}
			n++
			q.bytes -= len(r.records)
			if r.state.CompareAndSwap(waiting, taken) {
				group = append(group, r)
				size += len(r.records)
			}
		}
		rest := copy(q.requests, q.requests[n:])
		clear(q.requests[rest:])
		q.requests = q.requests[:rest]
	}
	return group
}

// close refuses further requests; those queued can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ready.Broadcast()
}
