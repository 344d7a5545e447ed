package httpserver

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what the server counts. Its labels are patterns and status codes,
// both of a bounded number.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	bodyBytes prometheus.Counter

	certExpiry                    prometheus.Gauge
	certFailures, handshakeErrors prometheus.Counter
}

// newMetrics registers with reg; nil registers nowhere.
func newMetrics(reg prometheus.Registerer, inFlight, inFlightBytes, connections *atomic.Int64) *metrics {
	auto := promauto.With(reg)
	gauge := func(name, help string, n *atomic.Int64) {
		auto.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) })
	}
	gauge("eventpulse_httpserver_connections", "Connections open.", connections)
	gauge("eventpulse_httpserver_requests_in_flight", "Requests with a body in progress.", inFlight)
	gauge("eventpulse_httpserver_request_body_bytes_in_flight", "Bytes of request bodies held in memory.", inFlightBytes)
	return &metrics{
		requests: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_httpserver_requests_total",
			Help: "Requests answered, by route and status code; route none is all that is not mounted.",
		}, []string{"route", "code"}),
		durations: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "eventpulse_httpserver_request_duration_seconds",
			Help:    "Time from the headers of a request read to its answer written, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route"}),
		bodyBytes: auto.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_httpserver_request_body_bytes_total",
			Help: "Bytes of request bodies read, after decompression.",
		}),
		certExpiry: auto.NewGauge(prometheus.GaugeOpts{
			Name: "eventpulse_httpserver_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificate in use expires, in seconds since 1970; 0 without TLS.",
		}),
		certFailures: auto.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_httpserver_tls_certificate_reload_failures_total",
			Help: "Changed certificate files that could not be used; the certificate before stays in use.",
		}),
		handshakeErrors: auto.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_httpserver_tls_handshake_errors_total",
			Help: "Connections that ended in their TLS handshake.",
		}),
	}
}

// routeMetrics are those of one route. Counters are looked up once a status.
type routeMetrics struct {
	of       *metrics
	label    string
	duration prometheus.Observer
	codes    [600]atomic.Pointer[prometheus.Counter]
}

// of returns the metrics of a route.
func (m *metrics) of(label string) *routeMetrics {
	return &routeMetrics{of: m, label: label, duration: m.durations.WithLabelValues(label)}
}

// answered counts one answer.
func (m *routeMetrics) answered(status int, took time.Duration) {
	m.count(status)
	m.duration.Observe(took.Seconds())
}

// count counts one answer that took no time worth mentioning.
func (m *routeMetrics) count(status int) {
	if status < 0 || status >= len(m.codes) {
		m.of.requests.WithLabelValues(m.label, strconv.Itoa(status)).Inc()
		return
	}
	c := m.codes[status].Load()
	if c == nil {
		counter := m.of.requests.WithLabelValues(m.label, strconv.Itoa(status))
		c = &counter
		m.codes[status].Store(c)
	}
	(*c).Inc()
}
