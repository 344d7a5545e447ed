package bench

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// verifyEvery is how often events that are not there yet are asked for.
	verifyEvery = 50 * time.Millisecond
	// shownIDs is how many ids of what is wrong are shown.
	shownIDs = 5
)

// Database is where accepted events are looked for.
type Database interface {
	// Find returns which of the events with these ids are stored, in any
	// order, as they are stored. It is safe for concurrent use.
	Find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error)
}

// verifier compares what was sent with what is stored.
type verifier struct {
	db       Database
	template *template
	deadline time.Time // for what is not there yet
	result   *Verification
	scratch  []byte
	progress func(checked int64)
}

// run looks for all events of the logs. The error says why it could not get
// to the end; the result has what was seen until then.
func (v *verifier) run(ctx context.Context, logs []*sentLog) error {
	began := time.Now()
	defer func() { v.result.Seconds = seconds(time.Since(began)) }()
	v.result.Accepted = count(logs, accepted)
	v.result.Unclear = count(logs, unclear)
	v.result.Rejected = count(logs, rejected)
	for page := range inOrder(logs, accepted) {
		missing, err := v.await(ctx, page)
		if err != nil {
			return err
		}
		v.result.Checked += int64(len(page))
		v.result.Missing += int64(len(missing))
		v.result.MissingIDs = some(v.result.MissingIDs, missing)
	}
	var err error
	if v.result.UnclearStored, err = v.stored(ctx, inOrder(logs, unclear)); err != nil {
		return err
	}
	v.result.RejectedStored, err = v.stored(ctx, inOrder(logs, rejected))
	return err
}

// await asks for a page until all of it is there, or time is up, and returns
// what is missing. Pages are in the order of sending: while one is waited for,
// the next ones are stored as well.
func (v *verifier) await(ctx context.Context, page []uuid.UUID) (missing []uuid.UUID, err error) {
	for missing = page; ; rest(ctx, verifyEvery) {
		// What is asked for after the deadline is final.
		late := !time.Now().Before(v.deadline)
		found, err := v.db.Find(ctx, missing)
		switch {
		case err == nil:
			missing = v.compare(missing, found)
			v.progress(v.result.Checked + int64(len(page)-len(missing)))
			if len(missing) == 0 || late {
				return missing, nil
			}
		case late || ctx.Err() != nil:
			return nil, err
		}
	}
}

// compare takes what was found as stored, and returns what was not found.
func (v *verifier) compare(wanted []uuid.UUID, found []event.Event) (missing []uuid.UUID) {
	rows := make(map[uuid.UUID]int, len(wanted))
	for _, e := range found {
		rows[e.ID]++
		if rows[e.ID] == 2 {
			v.result.Repeated++
		}
		var same bool
		if same, v.scratch = v.template.same(e, v.scratch); !same {
			v.result.Altered++
			v.result.AlteredIDs = some(v.result.AlteredIDs, []uuid.UUID{e.ID})
		}
	}
	for _, id := range wanted {
		if rows[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}

// stored counts how many of the events are there.
func (v *verifier) stored(ctx context.Context, pages iter.Seq[[]uuid.UUID]) (n int64, err error) {
	for page := range pages {
		found, err := v.db.Find(ctx, page)
		if err != nil {
			return n, err
		}
		n += int64(len(page) - len(v.compare(page, found)))
	}
	return n, nil
}

// some appends ids until there are enough to show.
func some(shown, more []uuid.UUID) []uuid.UUID {
	return append(shown, more[:min(len(more), shownIDs-len(shown))]...)
}
