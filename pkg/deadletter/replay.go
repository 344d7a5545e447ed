package deadletter

import (
	"context"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// Replayed says what became of dead letters that were to go back on the
// stream.
type Replayed struct {
	DryRun bool `json:"dry_run"`
	// Matched is how many were selected; each is one of those that follow.
	Matched int64 `json:"matched"`
	// Replayed is how many went back, or would.
	Replayed int64 `json:"replayed"`
	// Unreadable is how many stay, because they are no events.
	Unreadable int64 `json:"unreadable"`
	// Gone is how many somebody else replayed or removed meanwhile.
	Gone int64 `json:"gone"`
}

// Replay puts the dead letters of a selection back on the stream, each for the
// group that could not process it, and takes them from the dead letters.
// Repeating it is harmless: the event's id keeps it from being stored twice.
// Those that are no events stay. With a dry run nothing is changed. What was
// done before an error is counted.
func (s *Service) Replay(ctx context.Context, sel Selection, dryRun bool, progress Progress) (Replayed, error) {
	r := Replayed{DryRun: dryRun}
	err := s.Each(ctx, sel, progress, func(page []stream.DeadLetter) error {
		var events []stream.DeadLetter
		for _, l := range page {
			if _, err := event.FromFields(l.Fields); err == nil {
				events = append(events, l)
			}
		}
		r.Matched += int64(len(page))
		r.Unreadable += int64(len(page) - len(events))
		if dryRun {
			r.Replayed += int64(len(events))
			return nil
		}
		return s.republish(ctx, events, &r)
	})
	return r, err
}

// republish falls back to one at a time when one of many cannot be put back.
func (s *Service) republish(ctx context.Context, letters []stream.DeadLetter, r *Replayed) error {
	n, err := s.store.Replay(ctx, letters...)
	r.Replayed += n
	switch {
	case err == nil:
		r.Gone += int64(len(letters)) - n
		return nil
	case event.KindOf(err) != event.KindInvalid:
		return err
	case len(letters) == 1:
		r.Unreadable++
		return nil
	}
	for _, l := range letters {
		if err := s.republish(ctx, []stream.DeadLetter{l}, r); err != nil {
			return err
		}
	}
	return nil
}

// Mend puts one dead letter back on the stream with some of its fields changed.
// The result must be an event that would have been accepted; otherwise the
// error lists everything that is wrong with it and nothing is done. A dry run
// checks the same and changes nothing.
func (s *Service) Mend(ctx context.Context, id string, changes []Change, dryRun bool) (Replayed, error) {
	r := Replayed{DryRun: dryRun, Matched: 1}
	letter, err := s.Get(ctx, id)
	if err != nil {
		return Replayed{DryRun: dryRun}, err
	}
	if letter.Fields, err = mend(letter.Fields, changes, s.limits); err != nil {
		return r, err
	}
	if dryRun {
		r.Replayed = 1
		return r, nil
	}
	n, err := s.store.Replay(ctx, letter)
	r.Replayed = n
	if err == nil {
		r.Gone = 1 - n
	}
	return r, err
}
