package app

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// letterPage is how many dead letters are in memory at a time.
const letterPage = 100

// letterBox is where dead letters are kept, in order of burial.
type letterBox interface {
	// DeadLetterRange returns how many there are and the highest id so far.
	DeadLetterRange(ctx context.Context) (count int64, last string, err error)
	// DeadLetters returns at most limit of those behind the id after; an
	// empty page is the end.
	DeadLetters(ctx context.Context, after string, limit int) ([]stream.DeadLetter, error)
	DeadLetterByID(ctx context.Context, id string) (stream.DeadLetter, bool, error)
	// RemoveDeadLetters returns how many of them were there.
	RemoveDeadLetters(ctx context.Context, ids []string) (int64, error)
	// Republish puts letters back on the stream, each in one step, and
	// returns how many were there. An error of event.KindInvalid says that
	// one of them cannot be put back, and none was.
	Republish(ctx context.Context, letters ...stream.DeadLetter) (int64, error)
	// EnsureGroup makes sure that what is put on the stream will be read.
	EnsureGroup(ctx context.Context) error
}

// DeadLetters is what an operator does with events that can never be stored
// as they are.
type DeadLetters struct {
	box    letterBox
	limits event.Limits
	now    func() time.Time
	close  func()
}

// OpenDeadLetters returns the dead letters of the stream that cfg names,
// without connecting yet. They must be closed.
func OpenDeadLetters(cfg config.Config, log *slog.Logger) (*DeadLetters, error) {
	client, err := stream.New(cfg.Redis, cfg.Stream, log, nil)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{box: client, limits: cfg.Ingest.Limits, now: time.Now, close: client.Close}, nil
}

// Close closes the connections.
func (d *DeadLetters) Close() { d.close() }

// Selection says which dead letters are meant: those with the ids where there
// are any, else those that everything else applies to. The zero Selection
// means all of them.
type Selection struct {
	IDs []string
	// Type and Source are compared with the event's, Reason with the
	// letter's reason and with its code.
	Type, Source, Reason string
	// OlderThan and NewerThan bound the time since burial; 0 does not.
	OlderThan, NewerThan time.Duration
	// Limit bounds how many, the oldest first; 0 does not.
	Limit int64
}

// All reports whether everything is meant but for a Limit.
func (s Selection) All() bool {
	return len(s.IDs) == 0 && s.Type == "" && s.Source == "" && s.Reason == "" && s.OlderThan == 0 && s.NewerThan == 0
}

func (s Selection) matches(l stream.DeadLetter) bool {
	return (s.Type == "" || fieldOf(l, event.FieldType) == s.Type) &&
		(s.Source == "" || fieldOf(l, event.FieldSource) == s.Source) &&
		(s.Reason == "" || l.Reason == s.Reason || l.Code == s.Reason)
}

// Progress is told how many letters of how many were looked at. It may be nil.
type Progress func(looked, total int64)

// Get returns the letter with that id.
func (d *DeadLetters) Get(ctx context.Context, id string) (stream.DeadLetter, error) {
	letter, found, err := d.box.DeadLetterByID(ctx, id)
	if err != nil {
		return stream.DeadLetter{}, err
	}
	if !found || letter.ID != id {
		return stream.DeadLetter{}, fmt.Errorf("no dead letter has the id %q (eventpulse dlq list shows those there are)", id)
	}
	return letter, nil
}

// Each calls do with the letters of a selection, page by page, oldest first.
// Letters that are buried meanwhile are not among them, so that what do puts
// back on the stream, and is buried again, is not met again.
func (d *DeadLetters) Each(ctx context.Context, s Selection, progress Progress, do func([]stream.DeadLetter) error) error {
	if len(s.IDs) > 0 {
		letters := make([]stream.DeadLetter, len(s.IDs))
		for i, id := range s.IDs {
			var err error
			if letters[i], err = d.Get(ctx, id); err != nil {
				return err
			}
		}
		return do(letters)
	}
	total, last, err := d.box.DeadLetterRange(ctx)
	if err != nil {
		return err
	}
	after, before := d.bounds(s)
	var looked, matched int64
	for {
		page, err := d.box.DeadLetters(ctx, after, letterPage)
		if err != nil {
			return err
		}
		var chosen []stream.DeadLetter
		done := len(page) == 0
		for _, l := range page {
			after = l.ID
			if stream.CompareIDs(last, l.ID) < 0 || before != "" && stream.CompareIDs(l.ID, before) >= 0 || s.Limit > 0 && matched == s.Limit {
				done = true
				break
			}
			looked++
			if s.matches(l) {
				matched++
				chosen = append(chosen, l)
			}
		}
		if len(chosen) > 0 {
			if err := do(chosen); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(looked, max(total, looked))
		}
		if done {
			return nil
		}
	}
}

// bounds returns the ids between which the letters of a selection lie, ""
// where there is no bound: an id begins with the time of burial.
func (d *DeadLetters) bounds(s Selection) (after, before string) {
	at := func(age time.Duration) string {
		return strconv.FormatInt(max(d.now().Add(-age).UnixMilli(), 0), 10) + "-0"
	}
	if s.NewerThan > 0 {
		after = at(s.NewerThan)
	}
	if s.OlderThan > 0 {
		before = at(s.OlderThan)
	}
	return after, before
}

// Replayed says what became of letters that were to go back on the stream.
type Replayed struct {
	DryRun bool `json:"dry_run"`
	// Matched is how many were selected; each is one of those that follow.
	Matched int64 `json:"matched"`
	// Replayed is how many went back, or would.
	Replayed int64 `json:"replayed"`
	// Unreadable is how many stay, because they are no events.
	Unreadable int64 `json:"unreadable"`
	// Gone is how many somebody else had dealt with meanwhile.
	Gone int64 `json:"gone"`
}

// Replay puts the letters of a selection back on the stream, each in one step
// that takes it from the dead letters, so that doing it again is harmless; the
// event's id keeps it from being stored twice. Those that are no events stay.
// With a dry run nothing is changed. What was done before an error is counted.
func (d *DeadLetters) Replay(ctx context.Context, s Selection, dryRun bool, progress Progress) (Replayed, error) {
	r := Replayed{DryRun: dryRun}
	if !dryRun {
		// A group made later might start behind what is put back now.
		if err := d.box.EnsureGroup(ctx); err != nil {
			return r, err
		}
	}
	err := d.Each(ctx, s, progress, func(page []stream.DeadLetter) error {
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
		return d.republish(ctx, events, &r)
	})
	return r, err
}

// republish falls back to one at a time when one of many cannot be put back.
func (d *DeadLetters) republish(ctx context.Context, letters []stream.DeadLetter, r *Replayed) error {
	n, err := d.box.Republish(ctx, letters...)
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
		if err := d.republish(ctx, []stream.DeadLetter{l}, r); err != nil {
			return err
		}
	}
	return nil
}

// Change is a new value for one field of an event.
type Change struct{ Field, Value string }

// Mend puts one letter back on the stream with some of its fields changed. The
// result must be an event that would have been accepted, or the error says
// everything that is wrong with it and nothing is done; so it is with a dry
// run, which changes nothing.
func (d *DeadLetters) Mend(ctx context.Context, id string, changes []Change, dryRun bool) (Replayed, error) {
	r := Replayed{DryRun: dryRun, Matched: 1}
	letter, err := d.Get(ctx, id)
	if err != nil {
		return Replayed{DryRun: dryRun}, err
	}
	if letter.Fields, err = mended(letter.Fields, changes, d.limits); err != nil {
		return r, err
	}
	if dryRun {
		r.Replayed = 1
		return r, nil
	}
	if err := d.box.EnsureGroup(ctx); err != nil {
		return r, err
	}
	n, err := d.box.Republish(ctx, letter)
	r.Replayed = n
	if err == nil {
		r.Gone = 1 - n
	}
	return r, err
}

// Purged says what became of letters that were to be removed.
type Purged struct {
	DryRun bool `json:"dry_run"`
	// Matched is how many were selected, Removed how many were there to be
	// removed, or would be.
	Matched int64 `json:"matched"`
	Removed int64 `json:"removed"`
}

// Purge removes the letters of a selection for good. With a dry run it only
// counts them. What was done before an error is counted.
func (d *DeadLetters) Purge(ctx context.Context, s Selection, dryRun bool, progress Progress) (Purged, error) {
	p := Purged{DryRun: dryRun}
	err := d.Each(ctx, s, progress, func(page []stream.DeadLetter) error {
		p.Matched += int64(len(page))
		if dryRun {
			p.Removed += int64(len(page))
			return nil
		}
		ids := make([]string, len(page))
		for i, l := range page {
			ids[i] = l.ID
		}
		n, err := d.box.RemoveDeadLetters(ctx, ids)
		p.Removed += n
		return err
	})
	return p, err
}

// fieldOf returns the first value of that field, "" without one.
func fieldOf(l stream.DeadLetter, name string) string {
	for i := 0; i+1 < len(l.Fields); i += 2 {
		if l.Fields[i] == name {
			return l.Fields[i+1]
		}
	}
	return ""
}
