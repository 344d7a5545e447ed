package consumer

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

// What a consumer does, as health and log name it.
const (
	reading       = "reading the stream"
	handling      = "handling deliveries"
	acknowledging = "acknowledging"
	deadLettering = "dead-lettering"
	trimming      = "trimming the stream"
	reaping       = "removing idle consumers"
)

// probeBlock is how long the first read after an error waits for deliveries.
// It is short because only its success says that reading works again.
const probeBlock = 50 * time.Millisecond

// partition consumes one source. Its loop is one goroutine; the batches that it
// has read are one goroutine each.
type partition struct {
	name    string // empty when there is only one
	cfg     Config
	source  Source
	handler Handler
	log     *slog.Logger
	metrics *metrics
	health  *health

	// slots has one unit for each batch that may be in hand. A batch acquires
	// its unit before it is read.
	slots *semaphore.Weighted
	// sizer is of the loop's goroutine.
	sizer  sizer
	inHand inHand
	// leftPending is set when a delivery was left pending that only this
	// consumer knows of.
	leftPending atomic.Bool
}

func partitionName(i int) string { return "partition " + strconv.Itoa(i) }

func newPartition(name string, cfg Config, source Source, handler Handler, h *health, m *metrics, log *slog.Logger) *partition {
	if name != "" {
		log = log.With("partition", name)
	}
	return &partition{
		name: name, cfg: cfg, source: source, handler: handler, log: log, metrics: m, health: h,
		slots: semaphore.NewWeighted(int64(cfg.Concurrency)),
		sizer: newSizer(cfg.BatchSize),
	}
}

// activity names what for people, with the partition where there are several.
func (p *partition) activity(what string) string {
	if p.name == "" {
		return what
	}
	return what + " (" + p.name + ")"
}

// run consumes until ctx ends. Batches go on with work.
func (p *partition) run(ctx, work context.Context) {
	loop := p.health.begin()
	defer loop.end()
	pause := retry.New()
	turn := newTurn(p.cfg)
	for {
		err := p.consume(ctx, work, loop, turn, pause.Reset)
		if ctx.Err() != nil {
			return
		}
		wait := pause.Next()
		p.metrics.readErrors.Inc()
		p.health.fail(p.activity(reading), p, err)
		p.log.Warn("reading the stream failed, trying again", "error", err, "wait", wait)
		loop.rest()
		_ = retry.Sleep(ctx, wait)
	}
}

// consume ensures the group, handles what was left pending under this name,
// then reads until an error. Every read error leads back through the pending
// list: the reply that was lost may have been a delivery.
func (p *partition) consume(ctx, work context.Context, loop *activity, turn *turn, progress func()) error {
	loop.step(p.activity("ensuring the consumer group"))
	if err := p.source.EnsureGroup(ctx); err != nil {
		return err
	}
	p.leftPending.Store(false)
	if err := p.drainPending(ctx, work, loop); err != nil {
		return err
	}
	for block := min(probeBlock, p.cfg.Block); ; block = min(p.cfg.Block, p.cfg.claimInterval()) {
		if err := p.recoverDeliveries(ctx, work, loop, turn, progress); err != nil {
			return err
		}
		if _, _, err := p.next(ctx, work, loop, p.live(ctx, block)); err != nil {
			return err
		}
		progress()
		p.health.ok(p.activity(reading), p)
	}
}

// live returns how to read deliveries that nobody has seen. It waits up to
// block for the first of them only.
func (p *partition) live(ctx context.Context, block time.Duration) page {
	return func(limit int) ([]event.Delivery, bool, error) {
		deliveries, err := p.source.Read(ctx, p.cfg.Consumer, limit, block)
		block = 0
		return deliveries, len(deliveries) >= limit, err
	}
}

// next acquires a slot, reads a batch by way of read and starts its handling.
// It returns how many deliveries were read, and whether more may follow at
// once. With an error, what was read before it is handled all the same.
func (p *partition) next(ctx, work context.Context, loop *activity, read page) (n int, more bool, err error) {
	loop.rest() // the batches in hand are watched themselves
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return 0, false, err
	}
	loop.step(p.activity(reading))
	deliveries, more, err := gather(&p.sizer, p.cfg, read)
	if len(deliveries) == 0 {
		p.slots.Release(1)
		return 0, more, err
	}
	fault.Point(fault.WorkRead)
	// A batch that has become larger than it should have takes the slots of
	// others, so that the bound on all of them holds from here on.
	weight := int64(min(max(1, size(deliveries)/p.cfg.BatchBytes), p.cfg.Concurrency))
	if weight > 1 {
		loop.rest()
		if acquireErr := p.slots.Acquire(ctx, weight-1); acquireErr != nil {
			p.slots.Release(1)
			return 0, false, acquireErr // they are pending
		}
	}
	b := p.newBatch(deliveries)
	go func() {
		defer p.slots.Release(weight)
		defer b.end()
		b.process(ctx, work)
	}()
	return len(deliveries), more, err
}

// idle waits until no batch is in hand.
func (p *partition) idle(ctx context.Context) error {
	if err := p.slots.Acquire(ctx, int64(p.cfg.Concurrency)); err != nil {
		return err
	}
	p.slots.Release(int64(p.cfg.Concurrency))
	return nil
}
