package consumer

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

// turn says when the loop looks beyond what is new.
type turn struct {
	interval time.Duration
	next     time.Time
	// redrain paces how often this consumer's own pending list is read again
	// while something stays on it.
	redrain *retry.Backoff
	again   time.Time
}

func newTurn(cfg Config) *turn {
	return &turn{
		interval: cfg.claimInterval(),
		next:     time.Now().Add(cfg.claimInterval()),
		redrain:  retry.Between(cfg.claimInterval(), cfg.ClaimAfter),
	}
}

// recoverDeliveries handles, once in an interval, what was left pending: by
// this consumer, and by those that are gone.
func (p *partition) recoverDeliveries(ctx, work context.Context, loop *activity, t *turn, progress func()) error {
	now := time.Now()
	if now.Before(t.next) {
		return nil
	}
	if err := p.claim(ctx, work, loop, progress); err != nil {
		return err // and is the first thing to do afterwards
	}
	t.next = now.Add(t.interval)
	switch {
	case !p.leftPending.Load():
		t.redrain.Reset()
		t.again = time.Time{}
	case t.again.IsZero():
		t.again = now.Add(t.redrain.Next())
	case now.After(t.again):
		t.again = time.Time{}
		p.leftPending.Store(false)
		return p.drainPending(ctx, work, loop)
	}
	return nil
}

// drainPending handles, to the last page, what this consumer was given before
// and has not acknowledged, except what it has in hand.
func (p *partition) drainPending(ctx, work context.Context, loop *activity) error {
	after, total := "0", 0
	read := func(limit int) ([]event.Delivery, bool, error) {
		mine := p.inHand.ids()
		page, err := p.source.Pending(ctx, p.cfg.Consumer, after, limit)
		if len(page) > 0 {
			after = page[len(page)-1].EntryID
		}
		return without(page, mine), len(page) > 0, err
	}
	for more := true; more; {
		var n int
		var err error
		n, more, err = p.next(ctx, work, loop, read)
		total += n
		if err != nil {
			return err
		}
	}
	if total > 0 {
		p.metrics.recovered.Add(float64(total))
		p.log.Info("own pending deliveries are handled again", "deliveries", total)
	}
	return nil
}

// claim handles, to the end of the scan, what has been idle too long with any
// consumer. Its owner may still be alive and slow: then both handle it. What
// this consumer has in hand itself is left to the batch that has it.
func (p *partition) claim(ctx, work context.Context, loop *activity, progress func()) error {
	cursor, total := scanStart, 0
	read := func(limit int) (page []event.Delivery, more bool, err error) {
		mine := p.inHand.ids()
		page, cursor, err = p.source.Claim(ctx, p.cfg.Consumer, p.cfg.ClaimAfter, cursor, limit)
		if len(page) > 0 {
			fault.Point(fault.WorkClaim)
		}
		return without(page, mine), cursor != scanStart, err
	}
	for more := true; more; {
		var n int
		var err error
		n, more, err = p.next(ctx, work, loop, read)
		if total += n; n > 0 {
			progress() // they are not claimed again before long
		}
		if err != nil {
			return err
		}
	}
	if total > 0 {
		p.log.Info("deliveries claimed from consumers that left them pending", "deliveries", total)
	}
	return nil
}

// without returns the deliveries whose entries are not among ids.
func without(deliveries []event.Delivery, ids map[string]struct{}) []event.Delivery {
	if len(ids) == 0 {
		return deliveries
	}
	rest := make([]event.Delivery, 0, len(deliveries))
	for _, d := range deliveries {
		if _, found := ids[d.EntryID]; !found {
			rest = append(rest, d)
		}
	}
	return rest
}
