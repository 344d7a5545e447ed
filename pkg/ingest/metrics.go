package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	accepted, lost prometheus.Counter
	rejected       *prometheus.CounterVec
	queued         prometheus.Gauge
	requestEvents  prometheus.Histogram
}

// newMetrics registers with reg; nil registers nowhere.
func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	return &metrics{
		accepted: auto.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_ingest_events_accepted_total", Help: "Events accepted.",
		}),
		rejected: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_ingest_events_rejected_total",
			Help: "Events not accepted, by kind of error; a body that cannot be read counts as one.",
		}, []string{"kind"}),
		lost: auto.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_ingest_events_lost_total", Help: "Events accepted and then lost, which only ingest.ack none can do.",
		}),
		queued: auto.NewGauge(prometheus.GaugeOpts{
			Name: "eventpulse_ingest_queue_events", Help: "Events accepted that wait to be published, with ingest.ack none.",
		}),
		requestEvents: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_ingest_request_events", Help: "Events in an accepted request.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
	}
}
