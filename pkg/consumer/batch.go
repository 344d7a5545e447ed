package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

// handleAttempts is how often deliveries are handled whose failure may lie in
// themselves, before they are left pending.
const handleAttempts = 4

// errUnaccounted is a handler that breaks its contract.
var errUnaccounted = errors.New("the handler returned no error and did not account for all deliveries")

// batch is deliveries in hand.
type batch struct {
	*partition
	deliveries []event.Delivery
	watch      *activity
}

func (p *partition) newBatch(deliveries []event.Delivery) *batch {
	b := &batch{partition: p, deliveries: deliveries, watch: p.health.begin()}
	p.inHand.add(b)
	return b
}

func (b *batch) end() {
	b.inHand.remove(b)
	b.health.forget(b)
	b.watch.end()
}

// process brings the batch to its end: each delivery is acknowledged,
// dead-lettered, or left pending. It leaves all that is unsettled when work
// ends, and all that is not handled when something fails after signal.
func (b *batch) process(signal, work context.Context) {
	for _, part := range split(b.deliveries, b.cfg.BatchBytes) {
		if work.Err() != nil {
			return
		}
		b.handle(signal, work, part)
	}
}

// split divides deliveries into parts of about so many bytes. Only a burst that
// the sizer could not foresee needs more than one.
func split(deliveries []event.Delivery, bytes int) [][]event.Delivery {
	var parts [][]event.Delivery
	begin, sum := 0, 0
	for i := range deliveries {
		n := deliveries[i].Size()
		if i > begin && sum+n > bytes {
			parts = append(parts, deliveries[begin:i])
			begin, sum = i, 0
		}
		sum += n
	}
	return append(parts, deliveries[begin:])
}

// handle has the handler deal with deliveries until none is left.
func (b *batch) handle(signal, work context.Context, left []event.Delivery) {
	what := b.activity(handling)
	pause := retry.New()
	for attempt := 1; ; attempt++ {
		b.watch.step(what)
		start := time.Now()
		out, err := b.handler.Handle(work, left)
		b.metrics.handleSeconds.Observe(time.Since(start).Seconds())
		before := len(left)
		if left = unsettled(left, out); len(left) > 0 && err == nil {
			err = errUnaccounted
		}
		// Acknowledged first: what is done must not wait for dead letters,
		// which need memory in Redis that acknowledging helps to free.
		b.acknowledge(work, out.Done)
		b.deadLetter(work, out.Rejected)
		if len(left) == 0 {
			b.health.ok(what, b)
			return
		}
		if work.Err() != nil {
			return
		}
		b.health.fail(what, b, err)
		b.metrics.retries.Inc()
		if len(left) < before {
			attempt = 1 // it gets on
		}
		if event.KindOf(err) != event.KindUnavailable && attempt >= handleAttempts {
			b.leave(handling, stepHandle, len(left), err)
			return
		}
		wait := pause.Next()
		b.log.Warn("handling deliveries failed, the batch is kept and tried again", "deliveries", len(left), "error", err, "wait", wait)
		if retry.Sleep(signal, wait) != nil || work.Err() != nil {
			return
		}
	}
}

// leave gives up deliveries for now. They stay pending, and come back when this
// consumer reads its own pending list again, or when any consumer claims them.
func (b *batch) leave(what, step string, n int, err error) {
	b.metrics.leftPending.WithLabelValues(step).Add(float64(n))
	b.leftPending.Store(true)
	// Another consumer may settle them, so this is known to be so only until
	// they would have come back.
	b.health.failFor(2*b.cfg.ClaimAfter, b.activity(what), b.partition, err)
	b.log.Error(what+" failed, the deliveries are left pending and come back later", "deliveries", n, "error", err)
}

// unsettled returns the deliveries that out does not list.
func unsettled(deliveries []event.Delivery, out event.Outcome) []event.Delivery {
	if len(out.Done)+len(out.Rejected) == len(deliveries) {
		return nil
	}
	settled := make(map[string]struct{}, len(out.Done)+len(out.Rejected))
	for i := range out.Done {
		settled[out.Done[i].EntryID] = struct{}{}
	}
	for i := range out.Rejected {
		settled[out.Rejected[i].EntryID] = struct{}{}
	}
	return slices.DeleteFunc(slices.Clone(deliveries), func(d event.Delivery) bool {
		_, found := settled[d.EntryID]
		return found
	})
}
