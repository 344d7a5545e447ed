package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What is wrong with records that are not published: the values of the label.
const (
	kindCursor      = "cursor"
	kindDamaged     = "damaged"
	kindMissing     = "missing"
	kindRefused     = "refused"
	kindTorn        = "torn"
	kindUndecodable = "undecodable"
	kindUnreadable  = "unreadable"
)

type metrics struct {
	spooled       prometheus.Counter
	drained       prometheus.Counter
	refused       *prometheus.CounterVec
	corrupt       *prometheus.CounterVec
	commitSeconds prometheus.Histogram
	commitEvents  prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		spooled: prometheus.NewCounter(opts("spooled_events_total", "Events put on disk because the stream did not take them.")),
		drained: prometheus.NewCounter(opts("drained_events_total", "Events from disk that the stream has taken.")),
		refused: prometheus.NewCounterVec(opts("refused_events_total",
			"Events that neither the stream nor the disk took, by why the disk did not."), []string{"reason"}),
		corrupt: prometheus.NewCounterVec(opts("corrupt_records_total",
			"Records that could not be published from disk, by what is wrong with them."), []string{"kind"}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_spool_commit_seconds", Help: "Time to write and sync a group of requests.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
		}),
		commitEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "eventpulse_spool_commit_events", Help: "Events synced together.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
	}
	for _, reason := range []string{reasonFull, reasonPoisoned, reasonSlow, reasonDisk, reasonGivenUp, reasonClosed} {
		m.refused.WithLabelValues(reason)
	}
	for _, kind := range []string{kindCursor, kindDamaged, kindMissing, kindRefused, kindTorn, kindUndecodable, kindUnreadable} {
		m.corrupt.WithLabelValues(kind)
	}
	return m
}

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: "eventpulse_spool_" + name, Help: help}
}

// register registers the metrics of s. It returns what takes them out again.
func (m *metrics) register(reg prometheus.Registerer, s *Spool) (func(), error) {
	if reg == nil {
		return func() {}, nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "eventpulse_spool_" + name, Help: help}, value)
	}
	var done []prometheus.Collector
	undo := func() {
		for _, c := range done {
			reg.Unregister(c)
		}
	}
	for _, c := range []prometheus.Collector{
		m.spooled, m.drained, m.refused, m.corrupt, m.commitSeconds, m.commitEvents,
		gauge("backlog_events", "Events on disk that wait for the stream.", func() float64 {
			events, _ := s.Backlog()
			return float64(events)
		}),
		gauge("backlog_bytes", "Bytes on disk that wait for the stream.", func() float64 {
			_, bytes := s.Backlog()
			return float64(bytes)
		}),
		gauge("max_bytes", "Most bytes that the spool keeps on disk.", func() float64 {
			return float64(s.cfg.MaxBytes)
		}),
		gauge("oldest_age_seconds", "Age of the oldest event on disk that waits for the stream, 0 without one.", func() float64 {
			_, _, oldest := s.journal.backlog()
			if oldest.IsZero() {
				return 0
			}
			return max(time.Since(oldest).Seconds(), 0)
		}),
		gauge("breaker_state", "Whether requests try the stream: 0 they do, 1 it is being probed, 2 they do not.", func() float64 {
			return float64(s.breaker.state())
		}),
		gauge("poisoned", "1 when the disk has failed and nothing is spooled until a restart.", func() float64 {
			return flag(s.journal.poisoned() != nil)
		}),
		gauge("full", "1 when there was no room for the latest request that needed it.", func() float64 {
			s.journal.mu.Lock()
			defer s.journal.mu.Unlock()
			return flag(s.journal.full)
		}),
	} {
		if err := reg.Register(c); err != nil {
			undo()
			if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
				err = errors.New("another spool uses this registry")
			}
			return nil, fmt.Errorf("register spool metrics: %w", err)
		}
		done = append(done, c)
	}
	return undo, nil
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
