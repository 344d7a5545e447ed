package consumer

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

// claimInterval is how often deliveries of dead consumers are looked for: often
// enough that one is taken over soon after it may be, and seldom enough to cost
// nothing.
func (w *Worker) claimInterval() time.Duration {
	return min(w.cfg.ClaimAfter/4, 15*time.Second)
}

// claim takes over, to the end of the scan, what has rested too long with any
// consumer. Its owner may still be alive and slow: then both store it, and the
// primary key makes that one row.
func (w *Worker) claim(ctx, work context.Context) error {
	cursor, total := "0-0", 0
	for {
		n, err := w.next(ctx, work, func(max int) (page []event.Delivery, err error) {
			page, cursor, err = w.stream.Claim(ctx, w.cfg.Consumer, w.cfg.ClaimAfter, cursor, max)
			if len(page) > 0 {
				fault.Point(fault.WorkClaim)
			}
			return page, err
		})
		if err != nil {
			return err
		}
		total += n
		if cursor == "0-0" {
			break
		}
	}
	if total > 0 {
		w.log.Info("deliveries taken over from consumers that left them", "deliveries", total)
	}
	return nil
}

// tidy keeps the stream and the group from growing until ctx ends: it trims
// what every group is done with and removes consumers that are gone. Every
// worker does it, since any of them may be the last; its failures are seen on
// the stream's own metrics and tried again at the next turn.
func (w *Worker) tidy(ctx context.Context) {
	var trim <-chan time.Time
	if w.cfg.TrimInterval > 0 {
		t := time.NewTicker(w.cfg.TrimInterval)
		defer t.Stop()
		trim = t.C
	}
	// Jittered, so that a fleet started together does not ask in step.
	expire := time.NewTicker(w.cfg.ConsumerExpiry/4 + rand.N(w.cfg.ConsumerExpiry/4))
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-trim:
			_, err := w.stream.Trim(ctx)
			if err != nil && ctx.Err() == nil {
				w.log.Debug("trimming the stream failed", "error", err)
			}
		case <-expire.C:
			n, err := w.stream.RemoveIdleConsumers(ctx, w.cfg.ConsumerExpiry, w.cfg.Consumer)
			w.metrics.consumersGone.Add(float64(n))
			if err != nil && ctx.Err() == nil {
				w.log.Debug("removing idle consumers failed", "error", err)
			}
		}
	}
}
