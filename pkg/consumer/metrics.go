package consumer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	persisted, duplicates, deleted, recovered        prometheus.Counter
	retries, readErrors, settleErrors, consumersGone prometheus.Counter
	deadLettered                                     *prometheus.CounterVec
	batchSize, batchSeconds, delaySeconds            prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "eventpulse_worker_" + name + "_total", Help: help})
	}
	return &metrics{
		persisted:  counter("events_persisted", "Events committed to the database for the first time."),
		duplicates: counter("events_duplicate", "Events that were in the database already."),
		deadLettered: f.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_worker_dead_letters_total", Help: "Deliveries that can never be stored, by reason.",
		}, []string{"reason"}),
		deleted:       counter("entries_deleted", "Entries deleted from the stream before they were stored."),
		recovered:     counter("deliveries_recovered", "Own pending deliveries taken up again."),
		retries:       counter("insert_retries", "Batches tried again because the database could not take them."),
		readErrors:    counter("read_errors", "Reads of the stream that failed."),
		settleErrors:  counter("settle_errors", "Acknowledgements and burials that failed."),
		consumersGone: counter("consumers_removed", "Consumers removed that were gone and held nothing."),
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
func (m *metrics) observe(out outcome, start time.Time) {
	now := time.Now()
	m.persisted.Add(float64(len(out.stored) - out.duplicates))
	m.duplicates.Add(float64(out.duplicates))
	m.batchSize.Observe(float64(len(out.stored)))
	m.batchSeconds.Observe(now.Sub(start).Seconds())
	for _, it := range out.stored {
		if at, ok := acceptedAt(it.delivery.EntryID); ok {
			m.delaySeconds.Observe(max(0, now.Sub(at).Seconds()))
		}
	}
}
