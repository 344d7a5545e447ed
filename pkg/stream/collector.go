package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collectTimeout bounds what a scrape may cost while Redis is slow.
const collectTimeout = time.Second

// statsCollector reports [Client.Stats] at each scrape. Every process that is
// scraped tells of the same stream: take the maximum over them, not the sum.
type statsCollector struct {
	client *Client

	up, length, backlog, pending, consumers, deadLetters, oldest *prometheus.Desc
}

// registerStats registers the collector of c. On a registry that has one
// already, of another client of the same stream, it does nothing.
func registerStats(reg prometheus.Registerer, c *Client) error {
	if reg == nil {
		return nil
	}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("eventpulse_stream_"+name, help, nil, nil)
	}
	err := reg.Register(&statsCollector{
		client:      c,
		up:          desc("up", "Whether Redis could be asked about the stream: 1 or 0. Without an answer the figures below are absent."),
		length:      desc("length_entries", "Entries on the stream: unread, pending, and done with but not trimmed yet."),
		backlog:     desc("backlog_entries", "Entries that no consumer has been given yet; an estimate where there are many."),
		pending:     desc("pending_entries", "Entries given to a consumer and not acknowledged."),
		consumers:   desc("consumers", "Consumers that the group knows, alive or not."),
		deadLetters: desc("dead_letters", "Entries among the dead letters."),
		oldest:      desc("oldest_unprocessed_seconds", "Age of the oldest entry that is unread or pending, 0 when there is none."),
	})
	if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !ok {
		return fmt.Errorf("register stream metrics: %w", err)
	}
	return nil
}

// Describe implements [prometheus.Collector].
func (s *statsCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.up, s.length, s.backlog, s.pending, s.consumers, s.deadLetters, s.oldest} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *statsCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	stats, err := s.client.Stats(ctx)
	if err != nil {
		gauge(s.up, 0)
		return
	}
	gauge(s.up, 1)
	gauge(s.length, float64(stats.Length))
	gauge(s.backlog, float64(stats.Backlog))
	gauge(s.pending, float64(stats.Pending))
	gauge(s.consumers, float64(stats.Consumers))
	gauge(s.deadLetters, float64(stats.DeadLetters))
	gauge(s.oldest, stats.oldestUnprocessed(time.Now()).Seconds())
}

// oldestUnprocessed is how long the oldest entry that is not done with has
// been on the stream, by its id and so by Redis's clock.
func (s Stats) oldestUnprocessed(now time.Time) time.Duration {
	oldest := time.Duration(0)
	for _, id := range []string{s.OldestPending, s.OldestUnread} {
		if at, ok := entryTime(id); ok {
			oldest = max(oldest, now.Sub(at))
		}
	}
	return oldest
}
