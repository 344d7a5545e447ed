package store

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventpulse/eventpulse/pkg/event"
)

type metrics struct {
	duration   prometheus.Histogram
	rows       prometheus.Counter
	duplicates prometheus.Counter
	errors     *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, db *sql.DB) (*metrics, error) {
	m := &metrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "eventpulse_store_insert_duration_seconds",
			Help:    "Time to insert a batch, successful or not.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_store_rows_inserted_total",
			Help: "Events stored, duplicates not counted.",
		}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_store_duplicates_total",
			Help: "Events that were stored before under the same id.",
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_store_errors_total",
			Help: "Batches that could not be inserted, by kind of error.",
		}, []string{"kind"}),
	}
	for _, kind := range []event.Kind{event.KindRejected, event.KindUnavailable} {
		m.errors.WithLabelValues(kind.String()) // show the zeros
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.duration, m.rows, m.duplicates, m.errors,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "eventpulse_store_connections_in_use",
			Help: "Connections to the database that are working.",
		}, func() float64 { return float64(db.Stats().InUse) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "eventpulse_store_connection_wait_seconds_total",
			Help: "Time spent waiting for a free connection to the database.",
		}, func() float64 { return db.Stats().WaitDuration.Seconds() }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register store metrics: %w", err)
		}
	}
	return m, nil
}

// inserting starts the clock; the returned function stops it and counts.
func (m *metrics) inserting() func(events, duplicates int, err error) {
	start := time.Now()
	return func(events, duplicates int, err error) {
		m.duration.Observe(time.Since(start).Seconds())
		if err != nil {
			m.errors.WithLabelValues(event.KindOf(err).String()).Inc()
			return
		}
		m.rows.Add(float64(events - duplicates))
		m.duplicates.Add(float64(duplicates))
	}
}
