package logwriter

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Register makes reg report how many lines w has dropped.
func (w *Writer) Register(reg prometheus.Registerer) { newMetrics(reg, w) }

func newMetrics(reg prometheus.Registerer, w *Writer) {
	promauto.With(reg).NewCounterFunc(prometheus.CounterOpts{
		Name: "eventpulse_log_dropped_lines_total",
		Help: "Lines of the log that were dropped because whoever reads the log has stopped or gone.",
	}, func() float64 { return float64(w.Dropped()) })
}
