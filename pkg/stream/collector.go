package stream

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collectTimeout bounds what a scrape may cost while Redis is slow.
const collectTimeout = time.Second

// collector reports [Inspector.Stats] of some groups at each scrape. Every
// process that is scraped tells of the same stream: take the maximum over them,
// not the sum.
type collector struct {
	inspector *Inspector
	groups    []string

	up, length, deadLetters             *prometheus.Desc // of the stream
	backlog, pending, consumers, oldest *prometheus.Desc // of a group
}

// newCollector registers a collector of i with reg.
func newCollector(reg prometheus.Registerer, i *Inspector, groups []string) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("eventpulse_stream_"+name, help, labels, nil)
	}
	reg.MustRegister(&collector{
		inspector:   i,
		groups:      groups,
		up:          desc("up", "Whether Redis could be asked about the stream: 1 or 0. Without an answer the figures below are absent."),
		length:      desc("length_entries", "Entries on the stream: unread, pending, and done with but not trimmed yet."),
		deadLetters: desc("dead_letters", "Entries among the dead letters."),
		backlog:     desc("backlog_entries", "Entries that no consumer of the group has been given yet; an estimate where there are many.", labelGroup),
		pending:     desc("pending_entries", "Entries given to a consumer of the group and not acknowledged.", labelGroup),
		consumers:   desc("consumers", "Consumers that the group knows, alive or not.", labelGroup),
		oldest:      desc("oldest_unprocessed_seconds", "Age of the oldest entry that is unread or pending in the group, 0 when there is none.", labelGroup),
	})
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.length, c.deadLetters, c.backlog, c.pending, c.consumers, c.oldest} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	for i, group := range c.groups {
		stats, err := c.inspector.Stats(ctx, group)
		if err != nil {
			if i == 0 {
				gauge(c.up, 0)
			}
			return
		}
		if i == 0 {
			gauge(c.up, 1)
			gauge(c.length, float64(stats.Length))
			gauge(c.deadLetters, float64(stats.DeadLetters))
		}
		gauge(c.backlog, float64(stats.Backlog), group)
		gauge(c.pending, float64(stats.Pending), group)
		gauge(c.consumers, float64(stats.Consumers), group)
		gauge(c.oldest, stats.oldestUnprocessed(time.Now()).Seconds(), group)
	}
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
