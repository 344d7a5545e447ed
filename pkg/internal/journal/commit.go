package journal

import (
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
	"github.com/eventpulse/eventpulse/pkg/internal/durable"
)

type entry = coalesce.Entry[*Batch]

// commit writes the batches of a group, syncs them with one call and answers
// those who wait for them: group commit.
func (j *Journal) commit(group []*entry) {
	start := time.Now()
	a, err := j.commitAdmitted(group, start)
	records := a.records
	if err != nil {
		records = 0
	}
	j.opts.OnCommit(records, time.Since(start))
	for _, e := range a.admitted {
		e.Complete(err)
	}
	for _, e := range a.rejected {
		e.Complete(a.err)
	}
	// Also after a failure: what the reader could not remove because of this
	// commit may be what there was no space for.
	select {
	case j.committed <- struct{}{}:
	default:
	}
}

// commitAdmitted makes durable what there is space for. The error is that of
// the batches admitted.
func (j *Journal) commitAdmitted(group []*entry, now time.Time) (admission, error) {
	j.io.Lock()
	defer j.io.Unlock()
	a := j.admit(group)
	if len(a.admitted) == 0 {
		return a, nil
	}
	if err := j.write(j.group, a.records, now); err != nil {
		return a, err
	}
	// Not as soon as a small batch fits where a large one does not.
	if a.err == nil && a.left >= j.opts.SegmentBytes/2 {
		j.setFull(nil)
	}
	if cap(j.group) > 2*groupBytes {
		j.group = nil
	}
	return a, nil
}

// admission says which batches of a group there is space for.
type admission struct {
	admitted, rejected []*entry
	records            int   // of those admitted
	left               int64 // bytes available beside them
	err                error // why the others are rejected
}

// admit fills j.group with the records of those batches of a group that there
// is space for. The caller holds io.
func (j *Journal) admit(group []*entry) admission {
	if err := j.Err(); err != nil {
		return admission{rejected: group, err: err}
	}
	available, err := j.available()
	if err != nil {
		j.setFull(err)
		return admission{rejected: group, err: err}
	}
	a := admission{left: available}
	j.group = j.group[:0]
	for _, e := range group {
		size := int64(len(e.Value.records))
		if size > a.left {
			a.err = full("%d bytes are left", a.left)
			a.rejected = append(a.rejected, e)
			continue
		}
		j.group = append(j.group, e.Value.records...)
		a.left -= size
		a.records += e.Value.count
		a.admitted = append(a.admitted, e)
	}
	if a.err != nil {
		j.setFull(a.err)
	}
	return a
}

// write appends count records to the active segment and syncs it. When it fails
// for want of space, nothing was appended; when it fails otherwise, nothing will
// be any more. The caller holds io.
func (j *Journal) write(records []byte, count int, now time.Time) error {
	seg, err := j.activate(int64(len(records)))
	if err != nil {
		return err
	}
	number(records, j.next) // only the committer changes next
	if _, err := j.out.WriteAt(records, seg.size); err != nil {
		if !durable.IsNoSpace(err) {
			return j.fail(err)
		}
		return j.cutBack(seg, err)
	}
	if err := j.out.Sync(); err != nil {
		return j.fail(err)
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

// cutBack undoes a write that found no space. Nothing of it was acknowledged and
// nothing before it was touched: cut off, it is as if it had never been.
func (j *Journal) cutBack(seg *segment, cause error) error {
	if err := j.out.Truncate(seg.size); err != nil {
		return j.fail(err)
	}
	j.mu.Lock()
	seg.preallocated = 0
	j.mu.Unlock()
	err := full("%w", cause)
	j.setFull(err)
	return err
}
