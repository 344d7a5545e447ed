package ingest

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/event"
)

type metrics struct {
	accepted, lost prometheus.Counter
	queued         prometheus.Gauge
	batchSize      prometheus.Histogram

	refusedRequests, refusedEvents *prometheus.CounterVec
}

// newMetrics registers with reg; nil registers nowhere.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_ingest_events_accepted_total", Help: "Events accepted.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_ingest_events_lost_total", Help: "Events accepted and then lost, which only ingest.ack none can do.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "eventpulse_ingest_queue_events", Help: "Events accepted that wait to be published, with ingest.ack none.",
		}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_ingest_batch_events", Help: "Events in an accepted batch.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
		refusedRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_ingest_requests_refused_total", Help: "Requests refused, by kind of reason.",
		}, []string{"kind"}),
		refusedEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_ingest_events_refused_total", Help: "Events refused, by kind of reason; a body that cannot be read counts as one.",
		}, []string{"kind"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.accepted, m.lost, m.queued, m.batchSize, m.refusedRequests, m.refusedEvents} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register ingest metrics: %w", err)
		}
	}
	return m, nil
}

// refused counts a request of that many events that err refuses.
func (m *metrics) refused(err error, events int) {
	kind := event.KindOf(err).String()
	m.refusedRequests.WithLabelValues(kind).Inc()
	m.refusedEvents.WithLabelValues(kind).Add(float64(events))
}
