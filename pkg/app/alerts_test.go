package app

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
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

func TestAlerts_SayWhatIsWrongAndWhatToDo(t *testing.T) {
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

// Whoever is on call looks an alert up in the runbook.
func TestAlerts_StandInTheRunbook(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	rules := map[string]bool{}
	for _, r := range alertRules(t) {
		rules[r.Alert] = true
		require.Contains(t, string(text), "**"+r.Alert+"**")
	}
	for _, m := range regexp.MustCompile(`\*\*(EventPulse[A-Za-z]+)\*\*`).FindAllStringSubmatch(string(text), -1) {
		require.True(t, rules[m[1]], "there is no alert %s", m[1])
	}
}

// A page that names a metric that nobody reports sends its reader astray.
func TestDocs_NameMetricsThatAreReported(t *testing.T) {
	reported := map[string]bool{"eventpulse_migrations": true, "eventpulse_work": true, "eventpulse_serve": true,
		"eventpulse_owner": true, "eventpulse_dlq": true, "eventpulse_doctor": true}
	for _, m := range reportedMetrics(t) {
		reported[m.name] = true
	}
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../../README.md", "../../SECURITY.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`\beventpulse_[a-z_]+[a-z]\b`).FindAllString(string(text), -1) {
			require.True(t, reported[name], "%s names %s, which nobody reports", page, name)
		}
	}
}

// An alert on a metric that nobody reports, or by a label that it does not
// have, never fires.
func TestAlerts_NameMetricsAndLabelsThatAreReported(t *testing.T) {
	reported := map[string][]string{}
	for _, m := range reportedMetrics(t) {
		reported[m.name] = m.labels
	}
	use := regexp.MustCompile(`(eventpulse_[a-z_]+)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	for _, r := range alertRules(t) {
		uses := use.FindAllStringSubmatch(r.Expr, -1)
		require.Equal(t, r.Alert == "EventPulseDown", len(uses) == 0, r.Alert)
		for _, u := range uses {
			labels, ok := reported[u[1]]
			if base, isBucket := strings.CutSuffix(u[1], "_bucket"); isBucket && !ok {
				labels, ok = reported[base]
			}
			require.True(t, ok, "%s: nobody reports %s", r.Alert, u[1])
			for _, l := range label.FindAllStringSubmatch(u[2], -1) {
				require.Contains(t, labels, l[1], "%s: %s has no label %s", r.Alert, u[1], l[1])
			}
		}
		for _, text := range r.Annotations {
			for _, u := range use.FindAllStringSubmatch(text, -1) {
				require.Contains(t, reported, u[1], r.Alert)
			}
		}
	}
}
