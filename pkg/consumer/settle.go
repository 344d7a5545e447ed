package consumer

import (
	"context"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

// deadLetterAttempts is how often a move to the dead letters is tried before
// the deliveries are left pending.
const deadLetterAttempts = 3

// acknowledge tells the group that deliveries are done, trying again until it
// succeeds or work has ended: one that stays pending would be handled again for
// nothing. Not even the stop signal ends it, the grace period is there for it.
func (b *batch) acknowledge(work context.Context, done []event.Delivery) {
	if len(done) == 0 {
		return
	}
	entryIDs := make([]string, len(done))
	for i := range done {
		entryIDs[i] = done[i].EntryID
	}
	what := b.activity(acknowledging)
	pause := retry.New()
	for {
		b.watch.step(what)
		// Fewer than were sent is what a lost group or a second delivery
		// looks like; both are harmless.
		_, err := b.source.Ack(work, entryIDs)
		if err == nil {
			b.health.ok(what, b)
			return
		}
		b.settleFailed(what, err)
		wait := pause.Next()
		b.log.Warn("acknowledging failed, trying again", "deliveries", len(entryIDs), "error", err, "wait", wait)
		if retry.Sleep(work, wait) != nil {
			return
		}
	}
}

// deadLetter moves rejected deliveries to the dead letters. It gives up after a
// few attempts: Redis may be out of memory for as long as nobody frees any, and
// a batch that waited for it would be one fewer that does.
func (b *batch) deadLetter(work context.Context, rejected []event.Rejection) {
	if len(rejected) == 0 {
		return
	}
	fault.Point(fault.DeadLetterBefore)
	what := b.activity(deadLettering)
	pause := retry.New()
	for attempt := 1; ; attempt++ {
		b.watch.step(what)
		err := b.source.DeadLetter(work, rejected)
		if err == nil {
			break
		}
		b.settleFailed(what, err)
		if attempt == deadLetterAttempts || retry.Sleep(work, pause.Next()) != nil {
			b.health.ok(what, b)
			b.leave(deadLettering, stepDeadLetter, len(rejected), err)
			return
		}
	}
	fault.Point(fault.DeadLetterAfter)
	b.health.ok(what, b)
	b.health.ok(what, b.partition)
	for _, r := range rejected {
		b.log.Error("delivery was rejected and is a dead letter now", "entry", r.EntryID, "reason", r.Reason, "code", r.Code, "error", r.Message)
	}
}

func (b *batch) settleFailed(what string, err error) {
	b.metrics.settleErrors.Inc()
	b.health.fail(what, b, err)
}
