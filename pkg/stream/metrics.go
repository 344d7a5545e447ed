package stream

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	published       prometheus.Counter
	errors          *prometheus.CounterVec
	publishSeconds  prometheus.Histogram
	pipelineEvents  prometheus.Histogram
	queuedEvents    prometheus.Gauge
	groupsRecreated prometheus.Counter
	acked           prometheus.Counter
	ackedMissing    prometheus.Counter
	claimed         prometheus.Counter
	claimedDeleted  prometheus.Counter
	buried          prometheus.Counter
	republished     prometheus.Counter
	trimmed         prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	r := &registrar{reg: reg}
	m := &metrics{
		published: register(r, counter("published_events_total", "Events that Redis confirmed to be on the stream.")),
		errors: register(r, prometheus.NewCounterVec(opts("errors_total",
			"Operations on the stream that failed, by reason."), []string{"operation", "reason"})),
		publishSeconds: register(r, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_stream_publish_seconds", Help: "Time from a request to publish until its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		})),
		pipelineEvents: register(r, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_stream_pipeline_events", Help: "Events sent to Redis in one pipeline.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		})),
		queuedEvents: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "eventpulse_stream_queued_events", Help: "Events that wait to be sent to Redis.",
		})),
		groupsRecreated: register(r, counter("groups_recreated_total", "Times a consumer group was lost and created again.")),
		acked:           register(r, counter("acked_entries_total", "Entries acknowledged that were pending.")),
		ackedMissing:    register(r, counter("acked_missing_entries_total", "Entries acknowledged that were not pending any more.")),
		claimed:         register(r, counter("claimed_entries_total", "Entries taken over from consumers that left them.")),
		claimedDeleted:  register(r, counter("claimed_deleted_entries_total", "Entries deleted from the stream before they were acknowledged, found while claiming.")),
		buried:          register(r, counter("buried_entries_total", "Entries moved to the dead letters.")),
		republished:     register(r, counter("republished_entries_total", "Dead letters put back on the stream.")),
		trimmed:         register(r, counter("trimmed_entries_total", "Entries removed from the stream that every group was done with.")),
	}
	return m, r.err
}

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: "eventpulse_stream_" + name, Help: help}
}

func counter(name, help string) prometheus.Counter { return prometheus.NewCounter(opts(name, help)) }

// registrar keeps the first error of many registrations.
type registrar struct {
	reg prometheus.Registerer
	err error
}

// register registers c. Clients that share a registry share their metrics.
func register[C prometheus.Collector](r *registrar, c C) C {
	if r.reg == nil || r.err != nil {
		return c
	}
	err := r.reg.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	if err != nil {
		r.err = fmt.Errorf("register stream metrics: %w", err)
	}
	return c
}
