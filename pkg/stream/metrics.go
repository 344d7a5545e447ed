package stream

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The labels that tell partitions and groups on one registry apart.
const (
	labelPartition = "partition"
	labelGroup     = "group"
)

// partitionMetrics are shared by all that is made from a partition.
type partitionMetrics struct {
	errors *prometheus.CounterVec
}

func newPartitionMetrics(reg prometheus.Registerer) *partitionMetrics {
	f := promauto.With(reg)
	return &partitionMetrics{
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_stream_errors_total",
			Help: "Operations on the stream that failed, by reason; the group is empty for those that are for none.",
		}, []string{"operation", "reason", labelGroup}),
	}
}

type producerMetrics struct {
	published      prometheus.Counter
	publishSeconds prometheus.Histogram
	pipelineEvents prometheus.Histogram
	queuedEvents   prometheus.Gauge
}

func newProducerMetrics(reg prometheus.Registerer) *producerMetrics {
	f := promauto.With(reg)
	return &producerMetrics{
		published: f.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_stream_published_events_total", Help: "Events that Redis confirmed to be on the stream.",
		}),
		publishSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_stream_publish_seconds", Help: "Time from a request to publish until its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		pipelineEvents: f.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_stream_pipeline_events", Help: "Events sent to Redis in one pipeline.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
		queuedEvents: f.NewGauge(prometheus.GaugeOpts{
			Name: "eventpulse_stream_queued_events", Help: "Events that wait to be sent to Redis.",
		}),
	}
}

type groupMetrics struct {
	recreated      prometheus.Counter
	acked          prometheus.Counter
	ackedMissing   prometheus.Counter
	claimed        prometheus.Counter
	claimedDeleted prometheus.Counter
	deadLettered   prometheus.Counter
	skipped        prometheus.Counter
	trimmed        prometheus.Counter
}

// newGroupMetrics registers with reg, which labels them with the group.
func newGroupMetrics(reg prometheus.Registerer) *groupMetrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "eventpulse_stream_" + name + "_total", Help: help})
	}
	return &groupMetrics{
		recreated:      counter("groups_recreated", "Times the consumer group was lost and created again."),
		acked:          counter("acked_entries", "Entries acknowledged that were pending."),
		ackedMissing:   counter("acked_missing_entries", "Entries acknowledged that were not pending any more."),
		claimed:        counter("claimed_entries", "Entries claimed from consumers that left them pending."),
		claimedDeleted: counter("claimed_deleted_entries", "Entries deleted from the stream before they were acknowledged, found while claiming."),
		deadLettered:   counter("dead_lettered_entries", "Entries moved to the dead letters."),
		skipped:        counter("skipped_entries", "Entries acknowledged unread because they were replayed for another group."),
		trimmed:        counter("trimmed_entries", "Entries removed from the stream that every group was done with."),
	}
}
