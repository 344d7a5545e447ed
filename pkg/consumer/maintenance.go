package consumer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

// maintain keeps the stream and the group from growing until ctx ends: it trims
// what every group is done with and removes consumers that are gone. Every
// consumer does it, since any of them may be the last.
func (p *partition) maintain(ctx context.Context) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	if p.cfg.TrimInterval > 0 {
		jobs.Go(func() {
			p.every(ctx, p.cfg.TrimInterval, trimming, func() error {
				_, err := p.source.Trim(ctx)
				return err
			})
		})
	}
	// Jittered, so that a fleet started together does not ask in step.
	jobs.Go(func() {
		p.every(ctx, p.cfg.ConsumerExpiry/4+rand.N(p.cfg.ConsumerExpiry/4), reaping, func() error {
			n, err := p.source.RemoveIdleConsumers(ctx, p.cfg.ConsumerExpiry, p.cfg.Consumer)
			p.metrics.consumersRemoved.Add(float64(n))
			return err
		})
	})
}

// every does a job at intervals until ctx ends. A failure is said once, and the
// job tried again sooner than the interval says.
func (p *partition) every(ctx context.Context, interval time.Duration, name string, job func() error) {
	what := p.activity(name)
	pause := retry.Between(min(interval, time.Second), min(interval, time.Minute))
	failing := false
	for wait := interval; retry.Sleep(ctx, wait) == nil; {
		err := job()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			p.health.ok(what, p)
			pause.Reset()
			wait, failing = interval, false
			continue
		}
		p.health.fail(what, p, err)
		wait = pause.Next()
		if !failing {
			p.log.Warn(name+" failed, trying again", "error", err, "wait", wait)
		}
		failing = true
	}
}
