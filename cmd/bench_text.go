package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/bench"
)

// benchText writes a report for people.
func benchText(w io.Writer, r *bench.Report) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("target", "%s, %s", r.URL, offered(r))
	ended := ""
	if r.Interrupted {
		ended = ", interrupted"
	}
	line("time", "%.2f s%s", r.Seconds, ended)
	line("accepted", "%s of %s events, %s/s", comma(r.Accepted), comma(r.Events), humanize.CommafWithDigits(r.AcceptedPerSecond, 0))
	line("requests", "%s, %s/s answered", comma(r.Requests), humanize.CommafWithDigits(r.RequestsPerSecond, 0))
	line("answers", "%s", strings.Join(slices.Concat(acceptedAnswers(r), r.NotAccepted()), ", "))
	for _, status := range slices.Sorted(maps.Keys(r.Examples)) {
		line("", "%s: %s", strings.ReplaceAll(status, "_", " "), strconv.Quote(r.Examples[status]))
	}
	line("bytes", "%s sent, %s received", humanize.Bytes(uint64(r.BytesSent)), humanize.Bytes(uint64(r.BytesReceived)))
	fmt.Fprintf(&b, "\n%-10s %9s %9s %9s %9s %9s %9s\n", "latency", "p50", "p90", "p95", "p99", "p99.9", "max")
	row := func(name string, p *bench.Percentiles) {
		if p == nil {
			return
		}
		fmt.Fprintf(&b, "%-10s %9s %9s %9s %9s %9s %9s\n", name, shortTime(p.P50), shortTime(p.P90), shortTime(p.P95), shortTime(p.P99), shortTime(p.P999), shortTime(p.Max))
	}
	row("accepted", r.Latency)
	row("others", r.Others)
	if v := r.Verification; v != nil {
		row("visible", v.Visible.Latency)
		b.WriteByte('\n')
		benchVerification(v, line)
	}
	fmt.Fprintf(&b, "\nWhat was stored is removed with\n  %s;\n", r.Cleanup)
	_, err := io.WriteString(w, b.String())
	return err
}

// benchJSON writes a report for programs.
func benchJSON(w io.Writer, r *bench.Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// offered says what was offered, and how.
func offered(r *bench.Report) string {
	how := "as fast as answered"
	if r.Rate > 0 {
		how = humanize.Commaf(r.Rate) + " events/s"
	}
	what := "one event a request"
	if r.Batch > 1 {
		what = comma(int64(r.Batch)) + " events a request"
	}
	return fmt.Sprintf("%s, %s connections, %s of %s bytes", how, comma(int64(r.Connections)), what, comma(int64(r.EventBytes)))
}

func acceptedAnswers(r *bench.Report) []string {
	status := strconv.Itoa(http.StatusAccepted)
	if r.Answers[status] == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s", status, comma(r.Answers[status]))}
}

func benchVerification(v *bench.Verification, line func(name, format string, args ...any)) {
	line("stored", "%s of %s accepted events checked: %s missing, %s altered, %s twice (%.1f s)",
		comma(v.Checked), comma(v.Accepted), comma(v.Missing), comma(v.Altered), comma(v.Repeated), v.Seconds)
	if len(v.MissingIDs) > 0 {
		line("", "missing: %s", someIDs(v.MissingIDs, v.Missing))
	}
	if v.Missing > 0 && v.Missing == v.Checked {
		line("", "none is there: is database.url where the workers of this EventPulse store them?")
	}
	if len(v.AlteredIDs) > 0 {
		line("", "altered: %s", someIDs(v.AlteredIDs, v.Altered))
	}
	if v.Unclear > 0 {
		line("", "of %s events without a clear answer %s are stored", comma(v.Unclear), comma(v.UnclearStored))
	}
	if v.Rejected > 0 {
		line("", "of %s rejected events %s are stored", comma(v.Rejected), comma(v.RejectedStored))
	}
	if v.Error != "" {
		line("", "not all was checked: %s", v.Error)
	}
	s := v.Visible
	switch {
	case s.Samples > 0:
		line("visible", "from the answer to the row, of %s events; too long by up to %s", comma(s.Samples), shortTime(s.Within))
		if s.Unseen > 0 {
			line("", "%s more were waited for in vain", comma(s.Unseen))
		}
	case s.Unseen > 0:
		line("visible", "none of %s events waited for", comma(s.Unseen))
	}
}

func someIDs(shown []uuid.UUID, of int64) string {
	texts := make([]string, 0, len(shown)+1)
	for _, id := range shown {
		texts = append(texts, id.String())
	}
	if int64(len(shown)) < of {
		texts = append(texts, "…")
	}
	return strings.Join(texts, " ")
}

// shortTime writes milliseconds with three digits.
func shortTime(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	default:
		return fmt.Sprintf("%.2f ms", ms)
	}
}

func comma(n int64) string { return humanize.Comma(n) }
