package persist

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Rows and duplicates are counted by the store.
type metrics struct {
	deleted      prometheus.Counter
	rejected     *prometheus.CounterVec
	batchEvents  prometheus.Histogram
	delaySeconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		deleted: f.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_persist_deleted_entries_total", Help: "Entries deleted from the stream before they were stored.",
		}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_persist_rejected_events_total",
			Help: "Deliveries that can never be stored, by reason; one that could not be dead-lettered is counted again when it comes back.",
		}, []string{"reason"}),
		batchEvents: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_persist_batch_events", Help: "Events of a batch that are in the database afterwards.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
		delaySeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_persist_delay_seconds", Help: "Time from an event's being put on the stream to its commit.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 14),
		}),
	}
	for _, reason := range []string{event.ReasonUnreadable, event.ReasonRejected, event.ReasonDropped} {
		m.rejected.WithLabelValues(reason) // show the zeros
	}
	return m
}

// observe counts what became of a batch.
func (m *metrics) observe(b *batch) {
	for _, r := range b.out.Rejected {
		m.rejected.WithLabelValues(r.Reason).Inc()
	}
	if n := b.stored + b.duplicates; n > 0 {
		m.batchEvents.Observe(float64(n))
	}
}
