package app

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/logwriter"
)

var update = flag.Bool("update", false, "write the files that are generated from the code")

const metricsReference = "../../docs/metrics.md"

// metric is what Prometheus can see of one of our metrics.
type metric struct {
	name, kind, help string
	labels           []string
	roles            []string // that report it
}

// recorder is a registry that remembers what was registered: metrics with
// labels are not gathered before they are first used.
type recorder struct {
	*prometheus.Registry
	collectors []prometheus.Collector
}

func (r *recorder) Register(c prometheus.Collector) error {
	r.collectors = append(r.collectors, c)
	return r.Registry.Register(c)
}

func (r *recorder) MustRegister(all ...prometheus.Collector) {
	r.collectors = append(r.collectors, all...)
	r.Registry.MustRegister(all...)
}

var described = regexp.MustCompile(`fqName: ("(?:[^"\\\\]|\\\\.)*"), help: ("(?:[^"\\\\]|\\\\.)*"),.* constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// metrics returns what the collectors describe.
func (r *recorder) metrics(t *testing.T) []metric {
	t.Helper()
	var all []metric
	// A collector that is registered under further labels hides its type; what
	// it reports tells.
	gathered := map[string]string{}
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		gathered[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	for _, c := range r.collectors {
		descs := make(chan *prometheus.Desc)
		go func() { c.Describe(descs); close(descs) }()
		for d := range descs {
			parts := described.FindStringSubmatch(d.String())
			require.NotNil(t, parts, d.String())
			m := metric{kind: kindOf(c)}
			_, err := fmt.Sscanf(parts[1]+" "+parts[2], "%q %q", &m.name, &m.help)
			require.NoError(t, err)
			for pair := range strings.SplitSeq(parts[3], ",") {
				if name, _, ok := strings.Cut(pair, "="); ok {
					m.labels = append(m.labels, name)
				}
			}
			if parts[4] != "" {
				m.labels = append(m.labels, strings.Split(parts[4], ",")...)
			}
			if m.kind == "" {
				m.kind = gathered[m.name]
			}
			if m.kind == "" {
				m.kind = "gauge"
				if strings.HasSuffix(m.name, "_total") {
					m.kind = "counter"
				}
			}
			all = append(all, m)
		}
	}
	return all
}

// kindOf is the type of a collector's metrics, "" when only their names tell.
func kindOf(c prometheus.Collector) string {
	switch c := c.(type) {
	case *prometheus.HistogramVec:
		return "histogram"
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case prometheus.Metric:
		var out dto.Metric
		if c.Write(&out) != nil {
			return ""
		}
		switch {
		case out.Histogram != nil:
			return "histogram"
		case out.Counter != nil:
			return "counter"
		case out.Gauge != nil:
			return "gauge"
		}
	}
	return ""
}

// reportedMetrics returns the metrics of serve and work, wired without servers
// to connect to, by name.
func reportedMetrics(t *testing.T) []metric {
	t.Helper()
	cfg := config.Default(config.Serve)
	cfg.Redis.URL, cfg.Database.URL = noRedis, noDatabase
	cfg.HTTP.Addr, cfg.Admin.Addr, cfg.Spool.Dir = "127.0.0.1:0", "", t.TempDir()

	logs := logwriter.New(io.Discard, logwriter.DefaultLimit)
	defer logs.Close(time.Minute)
	serving := &recorder{Registry: prometheus.NewRegistry()}
	logs.Register(serving)
	serve, err := newServe(cfg, quiet(), serving)
	require.NoError(t, err)
	require.NoError(t, serve.cleanup.run())

	working := &recorder{Registry: prometheus.NewRegistry()}
	logs.Register(working)
	work, err := newWork(cfg, quiet(), working, nil)
	require.NoError(t, err)
	require.NoError(t, work.cleanup.run())

	byName := map[string]metric{}
	for role, r := range map[string]*recorder{"serve": serving, "work": working} {
		for _, m := range r.metrics(t) {
			if known, ok := byName[m.name]; ok {
				require.Equal(t, known.labels, m.labels, m.name)
				m.roles = known.roles
			}
			m.roles = append(m.roles, role)
			slices.Sort(m.roles)
			byName[m.name] = m
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b metric) int { return cmp.Compare(a.name, b.name) })
}

// packagesWithMetrics are those that a metric is named after.
var packagesWithMetrics = []string{"consumer", "httpserver", "ingest", "log", "persist", "spool", "store", "stream"}

func TestMetrics_AreNamedAfterTheirPackage(t *testing.T) {
	for _, m := range reportedMetrics(t) {
		if m.name == "eventpulse_ready" {
			continue // what /readyz says of the whole process
		}
		pkg, _, _ := strings.Cut(strings.TrimPrefix(m.name, "eventpulse_"), "_")
		require.Contains(t, packagesWithMetrics, pkg, m.name)
		require.Equal(t, m.kind == "counter", strings.HasSuffix(m.name, "_total"), m.name)
		require.True(t, strings.HasSuffix(m.help, "."), "%s: %q is not a sentence", m.name, m.help)
	}
}

func TestMetricsReference_IsWhatTheCodeReports(t *testing.T) {
	want := metricsText(reportedMetrics(t))
	if *update {
		require.NoError(t, os.WriteFile(metricsReference, []byte(want), 0o644))
	}
	got, err := os.ReadFile(metricsReference)
	require.NoError(t, err, "run make generate")
	require.Equal(t, want, string(got), "run make generate")
}

func metricsText(all []metric) string {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Generated from the code; make generate writes it. -->

` + "`serve` and `work` report these on `admin.addr` under `/metrics`" + `, with what
the Go runtime and the process report (` + "`go_…`, `process_…`" + `). In the
one-process mode there is ` + "`serve`'s" + ` listener only.

A metric is named after the package that counts it, and counted in one place.
Counters and histograms begin at 0 when the process starts. A series with labels
appears when it is first counted. [configs/alerts.yaml](../configs/alerts.yaml)
has alerts on them.
`)
	section := ""
	for _, m := range all {
		pkg, _, _ := strings.Cut(strings.TrimPrefix(m.name, "eventpulse_"), "_")
		if m.name == "eventpulse_ready" {
			pkg = "readiness"
		}
		if pkg != section {
			section = pkg
			fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | role | |\n|---|---|---|---|---|\n", section)
		}
		labels := make([]string, len(m.labels))
		for i, l := range m.labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.name, m.kind, strings.Join(labels, ", "),
			strings.Join(m.roles, ", "), strings.ReplaceAll(m.help, "|", `\|`))
	}
	return b.String()
}
