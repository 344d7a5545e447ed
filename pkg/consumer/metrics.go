package consumer

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The steps after which deliveries may be left pending, as metric labels.
const (
	stepHandle     = "handle"
	stepDeadLetter = "dead_letter"
)

type metrics struct {
	recovered, retries, readErrors, settleErrors, consumersRemoved prometheus.Counter
	leftPending                                                    *prometheus.CounterVec
	handleSeconds                                                  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "eventpulse_consumer_" + name + "_total", Help: help})
	}
	m := &metrics{
		recovered:        counter("recovered_deliveries", "Deliveries handled again that were pending under this consumer's own name."),
		retries:          counter("handler_retries", "Batches that the handler could not finish, to be tried again or left pending."),
		readErrors:       counter("read_errors", "Reads of the stream that failed, pending and claimed deliveries included."),
		settleErrors:     counter("settle_errors", "Attempts to acknowledge or to dead-letter that failed."),
		consumersRemoved: counter("consumers_removed", "Consumers removed from the group that were idle and had nothing pending."),
		leftPending: f.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_consumer_left_pending_deliveries_total",
			Help: "Deliveries left pending, to come back later, because a step failed repeatedly.",
		}, []string{"step"}),
		handleSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_consumer_handle_seconds", Help: "Time that one call of the handler took, for a batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
	}
	for _, step := range []string{stepHandle, stepDeadLetter} {
		m.leftPending.WithLabelValues(step) // show the zeros
	}
	return m
}
