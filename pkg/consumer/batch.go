package consumer

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

// item is a delivery that was read as an event.
type item struct {
	delivery event.Delivery
	event    event.Event
}

// outcome is what became of a batch, or of a part of it.
type outcome struct {
	stored     []item
	duplicates int // of stored, how many had been before
	dead       []event.Rejection
	gaveUp     bool // some of it is neither
}

func (o *outcome) add(other outcome) {
	o.stored = append(o.stored, other.stored...)
	o.duplicates += other.duplicates
	o.dead = append(o.dead, other.dead...)
	o.gaveUp = o.gaveUp || other.gaveUp
}

// process brings one batch of deliveries to its end: committed and then
// acknowledged, or buried as dead letters. It gives up only when work has
// ended, or when something fails after the signal; what it gave up stays
// pending.
func (w *Worker) process(signal, work context.Context, deliveries []event.Delivery) {
	start := time.Now()
	items, done, dead := w.decode(deliveries)
	out := w.persist(signal, work, items)
	if len(out.stored) > 0 {
		w.metrics.observe(out, start)
		w.log.Info("batch persisted", "events", len(out.stored)-out.duplicates, "duplicates", out.duplicates,
			"took", time.Since(start).Round(time.Microsecond))
	}
	for _, it := range out.stored {
		done = append(done, it.delivery.EntryID)
	}
	w.bury(work, append(dead, out.dead...))
	w.acknowledge(work, done)
	if !out.gaveUp {
		w.progressed("writing to the database")
	}
}

// decode reads deliveries as events. What is left of an entry that needs no
// storing is its entry id, to be acknowledged; what cannot be read is dead.
func (w *Worker) decode(deliveries []event.Delivery) (items []item, done []string, dead []event.Rejection) {
	items = make([]item, 0, len(deliveries))
	for _, d := range deliveries {
		if len(d.Fields) == 0 {
			// Deleted from the stream while it was pending: there is
			// nothing left to store.
			w.metrics.deleted.Inc()
			w.log.Warn("entry was deleted before it was stored", "entry", d.EntryID)
			done = append(done, d.EntryID)
			continue
		}
		e, err := event.FromFields(d.Fields)
		if err != nil {
			dead = append(dead, event.Rejection{Delivery: d, Reason: event.ReasonUnreadable, Message: err.Error()})
			continue
		}
		items = append(items, item{d, e})
	}
	return items, done, dead
}

// persist inserts items, waiting out whatever may pass and isolating what the
// database refuses for its content.
func (w *Worker) persist(signal, work context.Context, items []item) outcome {
	if len(items) == 0 {
		return outcome{}
	}
	events := make([]event.Event, len(items))
	for i, it := range items {
		events[i] = it.event
	}
	pause := newBackoff()
	for {
		fault.Point(fault.WorkBefore)
		inserted, err := w.store.Insert(work, events)
		if err == nil {
			fault.Point(fault.WorkAfter)
			w.logEach(items, inserted.Duplicates)
			return outcome{stored: items, duplicates: len(inserted.Duplicates)}
		}
		if event.KindOf(err) == event.KindRejected {
			return w.isolate(signal, work, items, err)
		}
		w.metrics.retries.Inc()
		w.stuck("writing to the database", err)
		wait := pause.NextBackOff()
		w.log.Warn("writing to the database failed, the batch is kept and tried again",
			"events", len(items), "error", err, "wait", wait)
		sleep(signal, wait)
		if signal.Err() != nil || work.Err() != nil {
			return outcome{gaveUp: true}
		}
	}
}

// isolate halves a refused batch until the row that is refused stands alone:
// the database refuses a statement as a whole and does not say which row of it
// was meant.
func (w *Worker) isolate(signal, work context.Context, items []item, refusal error) outcome {
	if len(items) == 1 {
		dead := event.Rejection{Delivery: items[0].delivery, Reason: event.ReasonRejected, Message: refusal.Error()}
		if e, ok := errors.AsType[*event.Error](refusal); ok {
			dead.Code = e.Code
		}
		return outcome{dead: []event.Rejection{dead}}
	}
	half := len(items) / 2
	out := w.persist(signal, work, items[:half])
	out.add(w.persist(signal, work, items[half:]))
	return out
}

// bury moves what can never be stored to the dead letters, trying again for as
// long as the batch may take: until then the entries stay pending.
func (w *Worker) bury(work context.Context, dead []event.Rejection) {
	if len(dead) == 0 {
		return
	}
	fault.Point(fault.DeadLetterBefore)
	if !w.untilDone(work, "burying dead letters", len(dead), func() error { return w.stream.DeadLetter(work, dead) }) {
		return
	}
	fault.Point(fault.DeadLetterAfter)
	for _, d := range dead {
		w.metrics.deadLettered.WithLabelValues(d.Reason).Inc()
		w.log.Error("event cannot be stored and is a dead letter now", "entry", d.EntryID, "reason", d.Reason, "code", d.Code, "error", d.Message)
	}
}

// acknowledge tells the stream that entries are dealt with: one left pending
// would be stored again for nothing.
func (w *Worker) acknowledge(work context.Context, entryIDs []string) {
	if len(entryIDs) == 0 {
		return
	}
	w.untilDone(work, "acknowledging", len(entryIDs), func() error {
		// Fewer than were sent is what a lost group or a second delivery
		// looks like; both are harmless.
		_, err := w.stream.Ack(work, entryIDs)
		return err
	})
}

// untilDone tries do again until it succeeds or work has ended. Not even the
// stop signal ends it: what it does is the last step of something done, and the
// grace is there for it.
func (w *Worker) untilDone(work context.Context, what string, entries int, do func() error) bool {
	pause := newBackoff()
	for {
		err := do()
		if err == nil {
			w.progressed(what)
			return true
		}
		w.metrics.settleErrors.Inc()
		w.stuck(what, err)
		wait := pause.NextBackOff()
		w.log.Warn(what+" failed, trying again", "entries", entries, "error", err, "wait", wait)
		sleep(work, wait)
		if work.Err() != nil {
			return false
		}
	}
}

// logEach says of each event what became of it, for whoever follows one event
// through the pipeline.
func (w *Worker) logEach(items []item, duplicates []int) {
	if !w.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	seen := make(map[int]struct{}, len(duplicates))
	for _, i := range duplicates {
		seen[i] = struct{}{}
	}
	for i, it := range items {
		what := "Event persisted"
		if _, dup := seen[i]; dup {
			what = "Duplicate event skipped"
		}
		w.log.Debug(what, "event_id", it.event.ID, "event_type", it.event.Type, "entry", it.delivery.EntryID)
	}
}

// acceptedAt is when Redis took the entry, by its own clock: the first half of
// a stream entry id is milliseconds of the Unix epoch.
func acceptedAt(entryID string) (time.Time, bool) {
	ms, _, _ := strings.Cut(entryID, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n), err == nil
}
