package worker

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// item is a delivery that was read as an event.
type item struct {
	entryID string
	event   event.Event
}

// process brings one batch of deliveries to its end: committed, then
// acknowledged. It gives up only when work has ended, or when something fails
// after the signal; what it gave up stays pending.
func (w *Worker) process(signal, work context.Context, deliveries []event.Delivery) {
	start := time.Now()
	items, done := w.decode(deliveries)
	stored, duplicates, ok := w.persist(signal, work, items)
	if len(stored) > 0 {
		w.metrics.observe(stored, duplicates, start)
		w.log.Info("batch persisted", "events", len(stored)-duplicates, "duplicates", duplicates,
			"took", time.Since(start).Round(time.Microsecond))
	}
	for _, it := range stored {
		done = append(done, it.entryID)
	}
	w.acknowledge(work, done)
	if ok {
		w.progressed("writing to the database")
	}
}

// decode reads deliveries as events. What needs no storing is returned by its
// entry id, to be acknowledged; what cannot be read stays pending, because
// acknowledging it would throw it away.
func (w *Worker) decode(deliveries []event.Delivery) (items []item, done []string) {
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
			w.metrics.unreadable.Inc()
			w.log.Error("entry is no event and stays pending", "entry", d.EntryID, "error", err)
			continue
		}
		items = append(items, item{d.EntryID, e})
	}
	return items, done
}

// persist inserts items, waiting out whatever may pass and isolating what the
// database refuses for its content. It returns the items that are committed
// and how many of those had been before; ok is false when it gave up.
func (w *Worker) persist(signal, work context.Context, items []item) (stored []item, duplicates int, ok bool) {
	if len(items) == 0 {
		return nil, 0, true
	}
	events := make([]event.Event, len(items))
	for i, it := range items {
		events[i] = it.event
	}
	pause := newBackoff()
	for {
		dups, err := w.store.Insert(work, events)
		if err == nil {
			w.logEach(items, dups)
			return items, len(dups), true
		}
		if event.KindOf(err) == event.KindRefused {
			return w.isolate(signal, work, items, err)
		}
		w.metrics.retries.Inc()
		w.stuck("writing to the database", err)
		wait := pause.NextBackOff()
		w.log.Warn("writing to the database failed, the batch is kept and tried again",
			"events", len(items), "error", err, "wait", wait)
		sleep(signal, wait)
		if signal.Err() != nil || work.Err() != nil {
			return nil, 0, false
		}
	}
}

// isolate halves a refused batch until the row that is refused stands alone:
// the database refuses a statement as a whole and does not say which row of it
// was meant.
func (w *Worker) isolate(signal, work context.Context, items []item, err error) (stored []item, duplicates int, ok bool) {
	if len(items) == 1 {
		w.metrics.refused.Inc()
		w.log.Error("event refused by the database stays pending", "event_id", items[0].event.ID, "entry", items[0].entryID, "error", err)
		return nil, 0, true
	}
	half := len(items) / 2
	left, dupLeft, okLeft := w.persist(signal, work, items[:half])
	right, dupRight, okRight := w.persist(signal, work, items[half:])
	return append(left, right...), dupLeft + dupRight, okLeft && okRight
}

// acknowledge tells the stream that entries are dealt with, trying again for
// as long as the batch may take: an entry left pending would be stored again
// for nothing.
func (w *Worker) acknowledge(work context.Context, entryIDs []string) {
	if len(entryIDs) == 0 {
		return
	}
	pause := newBackoff()
	for {
		n, err := w.stream.Ack(work, entryIDs)
		if err == nil {
			// Fewer than were sent is what a lost group or a second
			// delivery looks like; both are harmless.
			w.metrics.acked.Add(float64(n))
			return
		}
		w.metrics.ackErrors.Inc()
		wait := pause.NextBackOff()
		w.log.Warn("acknowledging failed, trying again", "entries", len(entryIDs), "error", err, "wait", wait)
		// Not even the stop signal ends this: the commit is made, and the
		// grace is there for its acknowledgement.
		sleep(work, wait)
		if work.Err() != nil {
			return
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
		w.log.Debug(what, "event_id", it.event.ID, "event_type", it.event.Type, "entry", it.entryID)
	}
}

// acceptedAt is when Redis took the entry, by its own clock: the first half of
// a stream entry id is milliseconds of the Unix epoch.
func acceptedAt(entryID string) (time.Time, bool) {
	ms, _, _ := strings.Cut(entryID, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n), err == nil
}
