package httpserver

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// ready runs all checks at once and reports each on a line of its own. It
// takes no longer than [probeTimeout].
func (a *Admin) ready(ctx context.Context) (report string, ok bool) {
	if a.draining.Load() {
		return "draining\n", false
	}
	errs := make([]error, len(a.checks))
	var all sync.WaitGroup
	for i, c := range a.checks {
		all.Go(func() { errs[i] = c.Run(ctx) })
	}
	all.Wait()
	ok = true
	var b strings.Builder
	for i, c := range a.checks {
		b.WriteString(c.name)
		if errs[i] == nil {
			b.WriteString(": ok\n")
			continue
		}
		if c.advisory {
			b.WriteString(" (not needed to be ready)")
		} else {
			ok = false
		}
		why := strings.ReplaceAll(errs[i].Error(), "\n", "; ")
		b.WriteString(": " + why[:min(len(why), maxReason)] + "\n")
	}
	if b.Len() == 0 {
		b.WriteString("ok\n")
	}
	return b.String(), ok
}

// readyz is the readiness probe.
func (a *Admin) readyz(w http.ResponseWriter, r *http.Request) {
	report, ok := a.ready(r.Context())
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	text(w, status, report)
}

// registerReady registers the gauge of readiness. It asks when it is gathered,
// and not a probe before: nobody may be probing. Probes and scrapes that coincide
// share the checks' answers.
func (a *Admin) registerReady(reg prometheus.Registerer) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "eventpulse_ready",
		Help: "1 when /readyz answers 200, 0 when it does not.",
	}, func() float64 {
		if _, ok := a.ready(context.Background()); ok {
			return 1
		}
		return 0
	})
}
