// Package deadletter is what an operator does with dead letters, the events
// that cannot be stored as they are: select and list them, mend one, replay
// them, which puts them back on the stream, or purge them.
//
// Dead letters are read in pages, the oldest first, so that their number does
// not matter to the memory that is needed. Every operation may be repeated
// after an error: a replay takes a dead letter away in the step that puts it
// back, and an event is stored once however often it is on the stream.
package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// pageSize is how many dead letters are in memory at a time.
const pageSize = 100

// Store keeps dead letters, in the order in which they were dead-lettered.
// [*stream.DeadLetterStore] is one.
type Store interface {
	// Range returns how many there are and the highest id so far.
	Range(ctx context.Context) (count int64, last string, err error)
	// List returns at most limit of those behind the id after; an empty page
	// is the end.
	List(ctx context.Context, after string, limit int) ([]stream.DeadLetter, error)
	// Get reports whether there is one with that id.
	Get(ctx context.Context, id string) (stream.DeadLetter, bool, error)
	// Remove returns how many of them were there.
	Remove(ctx context.Context, ids []string) (int64, error)
	// Replay puts dead letters back on the stream, each for its own group,
	// and returns how many were there. An error of event.KindInvalid says
	// that one of them cannot be put back, and none was.
	Replay(ctx context.Context, letters ...stream.DeadLetter) (int64, error)
}

// Service works on the dead letters of one stream. It is safe for concurrent
// use.
type Service struct {
	store  Store
	limits event.Limits
	now    func() time.Time
}

// New returns the service for the dead letters in store. A mended event is
// accepted within limits, as one that a producer sends.
func New(store Store, limits event.Limits) *Service {
	return &Service{store: store, limits: limits, now: time.Now}
}

// NotFoundError says that no dead letter has the id.
type NotFoundError struct{ ID string }

// Error implements error.
func (e *NotFoundError) Error() string { return fmt.Sprintf("no dead letter has the id %q", e.ID) }

// Get returns the dead letter with that id, or a [NotFoundError].
func (s *Service) Get(ctx context.Context, id string) (stream.DeadLetter, error) {
	letter, found, err := s.store.Get(ctx, id)
	if err != nil {
		return stream.DeadLetter{}, err
	}
	if !found || letter.ID != id {
		return stream.DeadLetter{}, &NotFoundError{id}
	}
	return letter, nil
}

// Progress is called with how many dead letters of how many were looked at. It
// may be nil.
type Progress func(looked, total int64)

// Each calls do with the dead letters of a selection, page by page, oldest
// first. Those that come later are not among them, so that an event that do
// puts back on the stream, and that is dead-lettered again, is not met again.
func (s *Service) Each(ctx context.Context, sel Selection, progress Progress, do func([]stream.DeadLetter) error) error {
	if len(sel.IDs) > 0 {
		letters, err := s.byID(ctx, sel.IDs)
		if err != nil {
			return err
		}
		return do(letters)
	}
	total, last, err := s.store.Range(ctx)
	if err != nil {
		return err
	}
	after, before := sel.bounds(s.now())
	scan := scan{sel: sel, last: last, before: before}
	for !scan.done {
		page, err := s.store.List(ctx, after, pageSize)
		if err != nil {
			return err
		}
		chosen := scan.take(page)
		if len(chosen) > 0 {
			if err := do(chosen); err != nil {
				return err
			}
		}
		if len(page) > 0 {
			after = page[len(page)-1].ID
		}
		if progress != nil {
			progress(scan.looked, max(total, scan.looked))
		}
	}
	return nil
}

func (s *Service) byID(ctx context.Context, ids []string) ([]stream.DeadLetter, error) {
	letters := make([]stream.DeadLetter, len(ids))
	for i, id := range ids {
		var err error
		if letters[i], err = s.Get(ctx, id); err != nil {
			return nil, err
		}
	}
	return letters, nil
}

// Purged says what became of dead letters that were to be removed.
type Purged struct {
	DryRun bool `json:"dry_run"`
	// Matched is how many were selected, Removed how many of them were there
	// to be removed, or would be.
	Matched int64 `json:"matched"`
	Removed int64 `json:"removed"`
}

// Purge removes the dead letters of a selection for good. With a dry run it
// only counts them. What was done before an error is counted.
func (s *Service) Purge(ctx context.Context, sel Selection, dryRun bool, progress Progress) (Purged, error) {
	p := Purged{DryRun: dryRun}
	err := s.Each(ctx, sel, progress, func(page []stream.DeadLetter) error {
		p.Matched += int64(len(page))
		if dryRun {
			p.Removed += int64(len(page))
			return nil
		}
		ids := make([]string, len(page))
		for i, l := range page {
			ids[i] = l.ID
		}
		n, err := s.store.Remove(ctx, ids)
		p.Removed += n
		return err
	})
	return p, err
}
