package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	persisted, duplicates, refused, unreadable, deleted prometheus.Counter
	acked, recovered, retries, readErrors, ackErrors    prometheus.Counter
	batchSize, batchSeconds, delaySeconds               prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "eventpulse_worker_" + name + "_total", Help: help})
	}
	return &metrics{
		persisted:  counter("events_persisted", "Events committed to the database for the first time."),
		duplicates: counter("events_duplicate", "Events that were in the database already."),
		refused:    counter("events_refused", "Events that the database refused for their content."),
		unreadable: counter("entries_unreadable", "Stream entries that are no event."),
		deleted:    counter("entries_deleted", "Entries deleted from the stream before they were stored."),
		acked:      counter("entries_acknowledged", "Entries acknowledged that were pending."),
		recovered:  counter("deliveries_recovered", "Own pending deliveries taken up again."),
		retries:    counter("insert_retries", "Batches tried again because the database could not take them."),
		readErrors: counter("read_errors", "Reads of the stream that failed."),
		ackErrors:  counter("ack_errors", "Acknowledgements that failed."),
		batchSize: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_worker_batch_events", Help: "Events in a committed batch.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
		batchSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_worker_batch_seconds", Help: "Time from reading a batch to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
		delaySeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_accept_to_persist_seconds", Help: "Time from an event's place on the stream to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 14),
		}),
	}
}

// observe counts a committed batch.
func (m *metrics) observe(stored []item, duplicates int, start time.Time) {
	now := time.Now()
	m.persisted.Add(float64(len(stored) - duplicates))
	m.duplicates.Add(float64(duplicates))
	m.batchSize.Observe(float64(len(stored)))
	m.batchSeconds.Observe(now.Sub(start).Seconds())
	for _, it := range stored {
		if at, ok := acceptedAt(it.entryID); ok {
			m.delaySeconds.Observe(max(0, now.Sub(at).Seconds()))
		}
	}
}
