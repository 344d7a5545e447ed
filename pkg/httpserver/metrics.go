package httpserver

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// route is one of the few paths there are, and the label that stands for it.
type route uint8

const (
	routeEvents route = iota
	routeBatch
	routeHealth
	// routeNone is every path and connection that leads nowhere.
	routeNone
	routeCount
)

var routePaths = [routeCount]string{
	"/api/v1/events", "/api/v1/events/batch", "/api/v1/events/health", "none",
}

// routeOf returns the route registered under path.
func routeOf(path string) route {
	for r := range routeNone {
		if routePaths[r] == path {
			return r
		}
	}
	return routeNone
}

// metrics are what the edge counts. Its labels are routes and status codes,
// both of a bounded number.
type metrics struct {
	requests  *prometheus.CounterVec
	durations [routeCount]prometheus.Observer
	accepted  [routeCount]prometheus.Counter // the 202s of requests
	bodyBytes prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, inFlight, inFlightBytes, connections *atomic.Int64) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "eventpulse_http_requests_total",
			Help: "Requests answered, by route and status code.",
		}, []string{"route", "code"}),
		bodyBytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "eventpulse_http_request_body_bytes_total",
			Help: "Bytes of request bodies read, after decompression.",
		}),
	}
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "eventpulse_http_request_duration_seconds",
		Help:    "Time from the headers of a request read to its answer written, by route.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route"})
	gauge := func(name, help string, n *atomic.Int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(n.Load()) })
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.bodyBytes, durations,
		gauge("eventpulse_http_connections", "Connections open.", connections),
		gauge("eventpulse_http_requests_in_flight", "POST requests in progress.", inFlight),
		gauge("eventpulse_http_request_body_bytes_in_flight", "Bytes of request bodies held in memory.", inFlightBytes),
	} {
		if err := reg.Register(c); err != nil {
			errs = append(errs, fmt.Errorf("register HTTP metrics: %w", err))
		}
	}
	for r := range routeCount {
		m.durations[r] = durations.WithLabelValues(routePaths[r])
	}
	for _, r := range []route{routeEvents, routeBatch} {
		m.accepted[r] = m.requests.WithLabelValues(routePaths[r], "202")
	}
	return m, errors.Join(errs...)
}

// answered counts one answer.
func (m *metrics) answered(r route, status int, took time.Duration) {
	if c := m.accepted[r]; status == 202 && c != nil {
		c.Inc()
	} else {
		m.requests.WithLabelValues(routePaths[r], strconv.Itoa(status)).Inc()
	}
	m.durations[r].Observe(took.Seconds())
}

// refused counts an answer to something that never became a request.
func (m *metrics) refused(status int) {
	m.requests.WithLabelValues(routePaths[routeNone], strconv.Itoa(status)).Inc()
}
