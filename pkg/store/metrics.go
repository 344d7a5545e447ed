package store

import (
	"database/sql"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// metrics are of rows; what becomes of events that were dropped is counted by
// whoever dead-letters them.
type metrics struct {
	duration   prometheus.Histogram
	rows       prometheus.Counter
	duplicates prometheus.Counter
	errors     *prometheus.CounterVec
}

// newMetrics registers the metrics of one store with reg, which may be nil.
func newMetrics(reg prometheus.Registerer, db *sql.DB) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "eventpulse_store_connections_in_use",
		Help: "Connections to the database that are working.",
	}, func() float64 { return float64(db.Stats().InUse) })
	f.NewCounterFunc(prometheus.CounterOpts{
		Name: "eventpulse_store_connection_wait_seconds_total",
		Help: "Time spent waiting for a free connection to the database.",
	}, func() float64 { return db.Stats().WaitDuration.Seconds() })
	m := &metrics{
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "eventpulse_store_insert_duration_seconds",
			Help:    "Time to insert a batch, successful or not.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		rows: f.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_store_rows_inserted_total",
			Help: "Events stored, duplicates not counted.",
		}),
		duplicates: f.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_store_duplicates_total",
			Help: "Events that were stored before under the same id.",
		}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_store_errors_total",
			Help: "Batches that could not be inserted, by kind of error.",
		}, []string{"kind"}),
	}
	for _, kind := range []event.Kind{event.KindRejected, event.KindBlocked, event.KindUnavailable} {
		m.errors.WithLabelValues(kind.String()) // show the zeros
	}
	return m
}

// inserting starts the clock; the returned function stops it and counts.
func (m *metrics) inserting() func(events int, inserted event.Inserted, err error) {
	start := time.Now()
	return func(events int, inserted event.Inserted, err error) {
		m.duration.Observe(time.Since(start).Seconds())
		if err != nil {
			m.errors.WithLabelValues(event.KindOf(err).String()).Inc()
			return
		}
		m.rows.Add(float64(events - len(inserted.Duplicates) - len(inserted.Dropped)))
		m.duplicates.Add(float64(len(inserted.Duplicates)))
	}
}
