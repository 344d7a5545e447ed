package coalesce

import "time"

// Serve passes batches to handle, one at a time, until the queue is closed and
// empty. Called by several goroutines it has as many batches under way.
//
// A batch is in the order in which its values were enqueued and leaves out what
// was abandoned. Handle completes every entry whose caller is to have an answer
// before that caller's time is up, and must not keep the batch.
func (q *Queue[T]) Serve(handle func(batch []*Entry[T])) {
	q.join(1)
	defer q.join(-1)
	var batch []*Entry[T]
	for {
		var size Size
		if batch, size = q.dequeue(batch[:0]); len(batch) == 0 {
			return
		}
		handle(batch)
		q.done(size)
		clear(batch)
	}
}

// join counts a server in, or out.
func (q *Queue[T]) join(n int) {
	q.mu.Lock()
	q.servers += n
	q.mu.Unlock()
}

// dequeue waits for entries and appends to batch those that make up the next
// one. It appends none when the queue is closed and empty.
func (q *Queue[T]) dequeue(batch []*Entry[T]) (_ []*Entry[T], size Size) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(batch) == 0 {
		for q.head == len(q.entries) {
			if q.closed {
				return batch, size
			}
			q.arrived.Wait()
			q.yield()
		}
		batch, size = q.pop(batch)
	}
	q.busy++
	q.started = time.Now()
	return batch, size
}

// pop moves entries to batch, up to what a batch holds.
func (q *Queue[T]) pop(batch []*Entry[T]) (_ []*Entry[T], size Size) {
	for q.head < len(q.entries) {
		e := q.entries[q.head]
		if len(batch) > 0 && !size.fits(e.Size, q.cfg.Batch) {
			break
		}
		q.entries[q.head] = nil
		q.head++
		taken := e.state.CompareAndSwap(stateWaiting, stateDequeued)
		if taken {
			batch = append(batch, e)
			size.add(e.Size)
		}
		if !taken || !q.cfg.CountServed {
			q.release(e.Size)
		}
	}
	if q.head == len(q.entries) {
		q.entries, q.head = q.entries[:0], 0
	}
	return batch, size
}

// done says that a batch of that size has been handled.
func (q *Queue[T]) done(size Size) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	if q.cfg.CountServed {
		q.release(size)
	}
}
