package consumer

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Consumer consumes until told to stop.
type Consumer struct {
	cfg        Config
	log        *slog.Logger
	health     *health
	partitions []*partition
}

// New returns a consumer of all sources that has not started. Each source is a
// partition with its own loop and its own Config.Concurrency batches in hand,
// so one that is away does not hold back the others.
//
// Metrics go to reg, which may be nil. A second consumer on the same registry
// needs labels of its own (prometheus.WrapRegistererWith).
func New(cfg Config, sources []Source, handler Handler, log *slog.Logger, reg prometheus.Registerer) *Consumer {
	c := &Consumer{cfg: cfg, log: log, health: newHealth(log, cfg.ClaimAfter)}
	m := newMetrics(reg)
	for i, source := range sources {
		name := ""
		if len(sources) > 1 {
			name = partitionName(i)
		}
		c.partitions = append(c.partitions, newPartition(name, cfg, source, handler, c.health, m, log))
	}
	return c
}

// Run consumes until ctx ends, then gives the batches in hand
// Config.ShutdownTimeout to be handled and settled. Errors of the sources and
// the handler are waited out and tried again, so Run returns only when ctx has
// ended; what it then leaves unfinished stays pending and is found by the next
// consumer of the same name.
func (c *Consumer) Run(ctx context.Context) {
	// The signal ends the reading. What is in hand runs on a context of its
	// own, which ends only when the grace period is over.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	c.log.Info("consumer started", "consumer", c.cfg.Consumer, "batch_size", c.cfg.BatchSize, "concurrency", c.cfg.Concurrency)
	var loops, maintenance sync.WaitGroup
	for _, p := range c.partitions {
		maintenance.Go(func() { p.maintain(ctx) })
		loops.Go(func() { p.run(ctx, work) })
	}
	defer maintenance.Wait()
	<-ctx.Done()
	c.log.Info("consumer stopping: finishing the batches in hand")
	loops.Wait()

	grace, cancel := context.WithTimeout(work, c.cfg.ShutdownTimeout)
	defer cancel()
	for _, p := range c.partitions {
		if err := p.idle(grace); err != nil {
			c.log.Warn("consumer stopped before its batches were finished: they stay pending", "waited", c.cfg.ShutdownTimeout)
			break
		}
	}
	// Batches that are still in hand end by themselves when their context has.
	stop()
	for _, p := range c.partitions {
		_ = p.idle(context.WithoutCancel(ctx))
	}
	c.log.Info("consumer stopped")
}

// Progress returns nil while the consumer gets on with its work. Otherwise it
// names everything that fails, each with its error and since when, and
// everything that has begun and not moved for Config.ClaimAfter, though
// nothing has reported an error. It calls nothing and never blocks.
func (c *Consumer) Progress() error { return c.health.check() }
