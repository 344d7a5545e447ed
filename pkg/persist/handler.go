package persist

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Store is where the rows go. Methods may be called concurrently.
type Store interface {
	// Insert stores all events or none. When it returns nil every event is
	// committed, except those that it lists as dropped. An error of
	// event.KindRejected is about the content of at least one of the events and
	// would come again; event.KindUnavailable is about none of them. After any
	// error the outcome is unknown, and inserting again is safe.
	Insert(ctx context.Context, events []event.Event) (event.Inserted, error)
}

// Handler stores deliveries. Its methods may be called concurrently.
type Handler struct {
	db       Store
	log      *slog.Logger
	metrics  *metrics
	inFlight inFlight
	streak   streak
}

// New returns a handler that writes to store. Metrics go to reg, which may be
// nil; a second handler on the same registry needs labels of its own.
func New(store Store, log *slog.Logger, reg prometheus.Registerer) *Handler {
	return &Handler{db: store, log: log, metrics: newMetrics(reg)}
}

// item is a delivery that was decoded.
type item struct {
	delivery event.Delivery
	event    event.Event
}

// Handle stores deliveries. Those that the outcome lists as done are committed,
// were committed before under the same event id, or were deleted from the
// stream and hold nothing. Rejected are those that are no events, that the
// database rejects for their content, and that it drops.
//
// An error of event.KindUnavailable leaves the rest for later; any other is
// about the events that are left, which were divided from all others before.
// Many events in a row that are rejected for the same reason pause the storing:
// until one is stored again, a call rejects one event only and returns such an
// error, so that a mistake in the database does not turn all events into dead
// letters.
func (h *Handler) Handle(ctx context.Context, deliveries []event.Delivery) (event.Outcome, error) {
	start := time.Now()
	items, out := h.decode(deliveries)
	b := batch{Handler: h, out: out}
	err := b.store(ctx, items)
	h.metrics.observe(&b)
	if b.stored+b.duplicates > 0 {
		h.log.Info("batch persisted", "events", b.stored, "duplicates", b.duplicates, "took", time.Since(start).Round(time.Microsecond))
	}
	return b.out, err
}

// decode reads deliveries as events. What needs no storing, or never can be
// stored, is in the outcome.
func (h *Handler) decode(deliveries []event.Delivery) ([]item, event.Outcome) {
	items := make([]item, 0, len(deliveries))
	var out event.Outcome
	for _, d := range deliveries {
		if len(d.Fields) == 0 {
			// Deleted from the stream while it was pending: there is nothing
			// left to store.
			h.metrics.deleted.Inc()
			h.log.Warn("entry was deleted before it was stored", "entry", d.EntryID)
			out.Done = append(out.Done, d)
			continue
		}
		e, err := event.FromFields(d.Fields)
		if err != nil {
			out.Rejected = append(out.Rejected, event.Rejection{Delivery: d, Reason: event.ReasonUnreadable, Message: err.Error()})
			continue
		}
		items = append(items, item{d, e})
	}
	return items, out
}
