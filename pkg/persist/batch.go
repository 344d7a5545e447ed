package persist

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

// droppedMessage is what a dead letter says of an event that the database left
// out without an error.
const droppedMessage = "the database took the event without an error and did not store it: look for a trigger or a rule on the table events"

// maxUnknown is how many events of a batch are tried alone, while none of it can
// be stored and none is rejected, before the batch is given up.
const maxUnknown = 8

// batch collects what becomes of one call of [Handler.Handle].
type batch struct {
	*Handler
	out                event.Outcome
	stored, duplicates int
	unknown            int // events that failed alone without being rejected
}

// insert stores items, halving them where the database fails for what they
// hold: it fails a statement as a whole, and does not say which row it meant.
//
// It returns at once when the database is unavailable, for the rest would fare
// no better. An error of another kind is that of the items which are left when
// all others are dealt with.
func (b *batch) insert(ctx context.Context, items []item) error {
	if len(items) == 0 {
		return nil
	}
	inserted, err := b.once(ctx, items)
	if err == nil {
		return b.settle(items, inserted)
	}
	kind := event.KindOf(err)
	switch {
	case kind == event.KindUnavailable || ctx.Err() != nil:
		return err
	case len(items) > 1:
		half := len(items) / 2
		first := b.insert(ctx, items[:half])
		if first != nil && (event.KindOf(first) == event.KindUnavailable || b.hopeless()) {
			return first
		}
		second := b.insert(ctx, items[half:])
		if first == nil || second != nil && event.KindOf(second) == event.KindUnavailable {
			return second
		}
		return first
	case kind == event.KindRejected:
		return b.reject(items[0], event.ReasonRejected, err)
	default:
		b.unknown++
		return err
	}
}

// hopeless reports whether so many events in a row have failed alone, for a
// reason that nobody knows, that the cause is not in them.
func (b *batch) hopeless() bool { return b.unknown >= maxUnknown && len(b.out.Done) == 0 }

// once inserts items while no other batch holds any of their ids.
func (b *batch) once(ctx context.Context, items []item) (event.Inserted, error) {
	events := make([]event.Event, len(items))
	ids := make([]uuid.UUID, len(items))
	for i := range items {
		events[i], ids[i] = items[i].event, items[i].event.ID
	}
	release, err := b.inFlight.reserve(ctx, ids)
	if err != nil {
		return event.Inserted{}, event.Unavailable("wait for the same event in another batch", err)
	}
	defer release()
	fault.Point(fault.WorkBefore)
	inserted, err := b.db.Insert(ctx, events)
	if err == nil {
		fault.Point(fault.WorkAfter)
	}
	return inserted, err
}

// settle notes what became of items that were inserted. Its error is that of
// items which were dropped and are left.
func (b *batch) settle(items []item, inserted event.Inserted) (left error) {
	if len(items) > len(inserted.Duplicates)+len(inserted.Dropped) {
		b.streak.stored()
	}
	debug := b.log.Enabled(context.Background(), slog.LevelDebug)
	now := time.Now()
	b.out.Done = slices.Grow(b.out.Done, len(items))
	for i := range items {
		it := &items[i]
		said := "Event persisted"
		if _, dropped := slices.BinarySearch(inserted.Dropped, i); dropped {
			if err := b.reject(*it, event.ReasonDropped, errors.New(droppedMessage)); err != nil {
				left = err
			}
			continue
		}
		if _, duplicate := slices.BinarySearch(inserted.Duplicates, i); duplicate {
			b.duplicates++
			said = "Duplicate event skipped"
		} else {
			b.stored++
		}
		b.out.Done = append(b.out.Done, it.delivery)
		if at, ok := it.delivery.Added(); ok {
			b.metrics.delaySeconds.Observe(max(0, now.Sub(at).Seconds()))
		}
		if debug {
			b.log.Debug(said, "event_id", it.event.ID, "event_type", it.event.Type, "entry", it.delivery.EntryID)
		}
	}
	return left
}

// reject lists an item that can never be stored as it stands. Where the streak
// is long it is left instead, with an error.
func (b *batch) reject(it item, reason string, why error) error {
	if err := b.streak.err(); err != nil {
		return err
	}
	b.rejectNow(it, reason, why)
	return nil
}

func (b *batch) rejectNow(it item, reason string, why error) {
	r := event.Rejection{Delivery: it.delivery, Reason: reason, Message: why.Error()}
	if e, ok := errors.AsType[*event.Error](why); ok {
		r.Code, r.Quote = e.Code, e.Quote
	}
	b.streak.rejected(reason, r.Code)
	b.out.Rejected = append(b.out.Rejected, r)
}
