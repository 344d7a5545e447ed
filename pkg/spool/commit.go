package spool

import (
	"context"
	"errors"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

// append puts events on disk. It returns nil once they are synced, and within
// the given time, or when ctx ends, whatever the disk does. After an error
// none, some or all may be on disk, then or later.
func (j *journal) append(ctx context.Context, patience time.Duration, events []event.Event) *refusal {
	// Refuse what is in vain before doing any work for it.
	if err := j.poisoned(); err != nil {
		return poisoned(err)
	}
	if r := j.stalled(patience); r != nil {
		return r
	}
	if err := ctx.Err(); err != nil {
		return givenUp(err)
	}
	r := &request{count: len(events), done: make(chan error, 1)}
	now := time.Now()
	size := 0
	for i := range events {
		size += recordOverhead + len(events[i].Payload) + len(events[i].Metadata)
	}
	r.records = make([]byte, 0, size)
	for i := range events {
		r.records = appendRecord(r.records, &events[i], now)
	}
	if refused := j.queue.put(r); refused != nil {
		return refused
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var refused *refusal
	select {
	case err := <-r.done:
		return asRefusal(err)
	case <-timer.C:
		refused = slow("not written in %s", patience)
	case <-ctx.Done():
		refused = givenUp(ctx.Err())
	}
	if !r.state.CompareAndSwap(waiting, abandoned) {
		select {
		case err := <-r.done: // just in time
			return asRefusal(err)
		default:
		}
	}
	return refused
}

// recordOverhead is about what a record holds beside payload and metadata.
const recordOverhead = 256

// asRefusal tells the committer's answer apart.
func asRefusal(err error) *refusal {
	if err == nil {
		return nil
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	return &refusal{reasonDisk, "the spool's disk refused", time.Second, err}
}

// commitLoop commits requests in groups until the queue is closed and empty:
// those that arrive while one group is synced make up the next.
func (j *journal) commitLoop() {
	defer close(j.committed)
	var group []*request
	for {
		group = j.queue.take(group[:0])
		if len(group) == 0 {
			return
		}
		start := time.Now()
		j.busySince.Store(start.UnixNano())
		j.commit(group, start)
		j.busySince.Store(0)
		j.metrics.commitSeconds.Observe(time.Since(start).Seconds())
		clear(group)
		// Also after a failure: what the reader could not remove because
		// of this commit may be what there was no room for.
		select {
		case j.arrived <- struct{}{}:
		default:
		}
	}
}

// commit writes and syncs the records of group and answers its requests.
func (j *journal) commit(group []*request, now time.Time) {
	j.io.Lock()
	defer j.io.Unlock()
	answer := func(group []*request, err error) {
		for _, r := range group {
			r.done <- err
		}
	}
	if err := j.poisoned(); err != nil {
		answer(group, poisoned(err))
		return
	}
	room, refused := j.room()
	if refused != nil {
		j.setFull(refused)
		answer(group, refused)
		return
	}
	var admitted, turnedAway []*request
	count := 0
	j.group = j.group[:0]
	for _, r := range group {
		if int64(len(j.group)+len(r.records)) > room {
			refused = full("%d bytes are left of it", room-int64(len(j.group)))
			turnedAway = append(turnedAway, r)
			continue
		}
		j.group = append(j.group, r.records...)
		count += r.count
		admitted = append(admitted, r)
	}
	if refused != nil {
		// Before they know, so that whoever looks then sees why.
		j.setFull(refused)
		answer(turnedAway, refused)
	}
	if len(admitted) == 0 {
		return
	}
	fault.Point(fault.SpoolBefore)
	if err := j.write(j.group, count, now); err != nil {
		answer(admitted, err)
		return
	}
	fault.Point(fault.SpoolAfter)
	// Not as soon as a small request fits where a large one does not.
	if refused == nil && room-int64(len(j.group)) >= j.segmentBytes/2 {
		j.setFull(nil)
	}
	j.metrics.spooled.Add(float64(count))
	j.metrics.commitEvents.Observe(float64(count))
	answer(admitted, nil)
	if cap(j.group) > 2*groupBytes {
		j.group = nil
	}
}

// write appends count records to the active segment and syncs it. When it
// fails for want of room, nothing was appended; when it fails otherwise,
// nothing will be any more.
func (j *journal) write(records []byte, count int, now time.Time) error {
	seg, err := j.activate(int64(len(records)))
	if err != nil {
		return err
	}
	seal(records, j.next) // only the committer changes next
	if _, err := j.out.WriteAt(records, seg.size); err != nil {
		if !noSpace(err) {
			j.poisonWith(err)
			return poisoned(err)
		}
		return j.cutBack(seg, err)
	}
	if err := j.out.Sync(); err != nil {
		j.poisonWith(err)
		return poisoned(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next == j.head {
		j.oldest = now
	}
	seg.size += int64(len(records))
	j.size += int64(len(records))
	j.next += uint64(count)
	return nil
}

// cutBack undoes a write that found no room. Nothing of it was acknowledged
// and nothing before it was touched: cut off, it is as if it had never been.
func (j *journal) cutBack(seg *segment, cause error) error {
	if err := j.out.Truncate(seg.size); err != nil {
		j.poisonWith(err)
		return poisoned(err)
	}
	j.mu.Lock()
	seg.reserved = 0
	j.mu.Unlock()
	refused := full("%w", cause)
	j.setFull(refused)
	return refused
}

// setFull notes whether the last group found room, for the log and the gauge.
func (j *journal) setFull(refused *refusal) {
	j.mu.Lock()
	was := j.full
	j.full = refused != nil
	j.mu.Unlock()
	switch {
	case refused != nil && !was:
		j.log.Error("the spool is full: requests are refused while the stream takes none", "dir", j.dir, "error", refused.err)
	case refused == nil && was:
		j.log.Info("the spool has room again", "dir", j.dir)
	}
}
