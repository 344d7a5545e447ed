package app

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/eventpulse/eventpulse/pkg/config"
	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/httpserver"
	"github.com/eventpulse/eventpulse/pkg/ingest"
	"github.com/eventpulse/eventpulse/pkg/spool"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

// rule is an alert as Prometheus reads it.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alertRules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("../../configs/alerts.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	require.NoError(t, in.Decode(&file))
	var all []rule
	for _, g := range file.Groups {
		require.NotEmpty(t, g.Name)
		all = append(all, g.Rules...)
	}
	return all
}

func TestAlertsSayWhatIsWrongAndWhatToDo(t *testing.T) {
	tried, err := os.ReadFile("../../configs/alerts_test.yaml")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range alertRules(t) {
		require.Regexp(t, `^EventPulse[A-Za-z]+$`, r.Alert)
		require.False(t, seen[r.Alert], r.Alert)
		seen[r.Alert] = true
		require.Contains(t, string(tried), `alertname="`+r.Alert+`"`)
		require.Contains(t, []string{"critical", "warning", "info"}, r.Labels["severity"], r.Alert)
		require.Len(t, r.Annotations, 3, r.Alert)
		for _, name := range []string{"summary", "description", "action"} {
			require.NotEmpty(t, r.Annotations[name], r.Alert)
		}
	}
	require.Greater(t, len(seen), 15)
}

// An alert on a metric that nobody reports, or by a label that it does not
// have, never fires.
func TestAlertsNameMetricsAndLabelsThatThereAre(t *testing.T) {
	there := registered(t)
	use := regexp.MustCompile(`(eventpulse_[a-z_]+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	for _, r := range alertRules(t) {
		uses := use.FindAllStringSubmatch(r.Expr, -1)
		require.Equal(t, r.Alert == "EventPulseDown", len(uses) == 0, r.Alert)
		for _, u := range uses {
			labels, ok := there[u[1]]
			if base, isBucket := strings.CutSuffix(u[1], "_bucket"); isBucket && !ok {
				labels, ok = there[base]
			}
			require.True(t, ok, "%s: nobody reports %s", r.Alert, u[1])
			for _, l := range label.FindAllStringSubmatch(u[2], -1) {
				require.Contains(t, labels, l[1], "%s: %s has no label %s", r.Alert, u[1], l[1])
			}
		}
		for _, text := range r.Annotations {
			for _, u := range use.FindAllStringSubmatch(text, -1) {
				require.Contains(t, there, u[1], r.Alert)
			}
		}
	}
}

// registered returns the metrics that serve and work report, and their labels.
func registered(t *testing.T) map[string][]string {
	t.Helper()
	cfg := config.Default(config.Work)
	cfg.Redis.URL, cfg.Database.URL, cfg.Admin.Addr = noRedis, noDatabase, ""
	work := newRegistry()
	w, err := newWork(cfg, quiet(), work, func(s consumer.Store) consumer.Store { return s })
	require.NoError(t, err)
	defer func() { require.NoError(t, w.cleanup.run()) }()

	// The rooms of serve, since its registry is its own.
	serve := newRegistry()
	redis, err := stream.New(cfg.Redis, cfg.Stream, quiet(), serve)
	require.NoError(t, err)
	defer redis.Close()
	cfg.Spool.Dir = t.TempDir()
	disk, err := spool.Open(cfg.Spool, redis, quiet(), serve)
	require.NoError(t, err)
	defer func() { require.NoError(t, disk.Close()) }()
	handler, err := ingest.New(cfg.Ingest, disk, quiet(), serve)
	require.NoError(t, err)
	_, err = httpserver.New(cfg.HTTP, handler, redis.Ping, quiet(), serve)
	require.NoError(t, err)

	there := map[string][]string{}
	for _, reg := range []*prometheus.Registry{work, serve} {
		descs := make(chan *prometheus.Desc)
		go func() { reg.Describe(descs); close(descs) }()
		for d := range descs {
			m := regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
			require.NotNil(t, m, d.String())
			there[m[1]] = strings.Split(m[2], ",")
		}
	}
	return there
}
