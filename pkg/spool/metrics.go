package spool

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/eventpulse/eventpulse/pkg/internal/journal"
)

const namespace = "eventpulse_spool_"

type metrics struct {
	spooled       prometheus.Counter
	drained       prometheus.Counter
	rejected      *prometheus.CounterVec
	corrupt       *prometheus.CounterVec
	commitSeconds prometheus.Histogram
	commitEvents  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	m := &metrics{
		spooled: auto.NewCounter(prometheus.CounterOpts{
			Name: namespace + "spooled_events_total",
			Help: "Events put on disk because the stream did not take them.",
		}),
		drained: auto.NewCounter(prometheus.CounterOpts{
			Name: namespace + "drained_events_total",
			Help: "Events from disk that the stream has taken.",
		}),
		rejected: auto.NewCounterVec(prometheus.CounterOpts{
			Name: namespace + "rejected_events_total",
			Help: "Events that neither the stream nor the disk took, by why the disk did not.",
		}, []string{"reason"}),
		corrupt: auto.NewCounterVec(prometheus.CounterOpts{
			Name: namespace + "corrupt_records_total",
			Help: "Records that could not be published from disk, by what is wrong with them.",
		}, []string{"kind"}),
		commitSeconds: auto.NewHistogram(prometheus.HistogramOpts{
			Name:    namespace + "commit_seconds",
			Help:    "Time to write and sync a group of requests.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		commitEvents: auto.NewHistogram(prometheus.HistogramOpts{
			Name:    namespace + "commit_events",
			Help:    "Events synced together.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
	}
	for _, reason := range reasons {
		m.rejected.WithLabelValues(reason)
	}
	for _, kind := range journal.Corruptions() {
		m.corrupt.WithLabelValues(string(kind))
	}
	return m
}

// committed counts a group that the journal has synced.
func (m *metrics) committed(events int, took time.Duration) {
	m.commitSeconds.Observe(took.Seconds())
	if events > 0 {
		m.spooled.Add(float64(events))
		m.commitEvents.Observe(float64(events))
	}
}

// corrupted counts records that the journal cannot read.
func (m *metrics) corrupted(kind journal.Corruption, records uint64) {
	m.corrupt.WithLabelValues(string(kind)).Add(float64(records))
}

// newGauges registers what is read from s whenever metrics are gathered.
func newGauges(reg prometheus.Registerer, s *Spool) {
	gauge := func(name, help string, value func() float64) {
		promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{Name: namespace + name, Help: help}, value)
	}
	gauge("backlog_events", "Events on disk that wait for the stream.", func() float64 {
		return float64(s.journal.Stats().Records)
	})
	gauge("backlog_bytes", "Bytes on disk that wait for the stream.", func() float64 {
		return float64(s.journal.Stats().Bytes)
	})
	gauge("max_bytes", "Most bytes that the spool keeps on disk.", func() float64 {
		return float64(s.cfg.MaxBytes)
	})
	gauge("oldest_age_seconds", "Age of the oldest event on disk that waits for the stream, 0 without one.", func() float64 {
		oldest := s.journal.Stats().Oldest
		if oldest.IsZero() {
			return 0
		}
		return max(time.Since(oldest).Seconds(), 0)
	})
	gauge("breaker_state", "State of the circuit breaker before the stream: 0 closed, 1 half-open (a probe is under way), 2 open.", func() float64 {
		return float64(s.breaker.state())
	})
	gauge("failed", "1 when the disk has failed and nothing is spooled until a restart.", func() float64 {
		return flag(s.journal.Err() != nil)
	})
	gauge("full", "1 when there was no space for the latest request that needed it.", func() float64 {
		return flag(s.journal.Stats().Full)
	})
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
