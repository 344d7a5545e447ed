package bench

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Report is what a run measured. Times are milliseconds, except where a name
// says seconds.
type Report struct {
	URL         string    `json:"url"`
	Source      string    `json:"source"` // of the events, theirs alone
	Started     time.Time `json:"started"`
	Rate        float64   `json:"rate"` // events a second; 0 is a closed loop
	Connections int       `json:"connections"`
	Batch       int       `json:"batch"`
	EventBytes  int       `json:"event_bytes"`
	// Seconds is from the first request to the last answer, and at least as
	// long as requests were begun.
	Seconds     float64 `json:"seconds"`
	Interrupted bool    `json:"interrupted"`

	// Requests and Events are all that were due; Accepted are events.
	Requests          int64   `json:"requests"`
	Events            int64   `json:"events"`
	Accepted          int64   `json:"accepted"`
	RequestsPerSecond float64 `json:"requests_per_second"` // answered
	AcceptedPerSecond float64 `json:"accepted_per_second"` // events

	// Answers are requests by status. Those without an answer, and those that
	// no connection was free to send, are not among them.
	Answers  map[string]int64 `json:"answers"`
	NoAnswer int64            `json:"no_answer"`
	Unsent   int64            `json:"unsent"`
	// Examples are what the first answer of a status said, and why the first
	// request had none, under "no_answer".
	Examples map[string]string `json:"examples,omitempty"`

	// Latency is of requests answered 202, Others of all others, for as long
	// as they were waited for. At a fixed rate it is counted from the moment a
	// request was due.
	Latency *Percentiles `json:"latency_ms,omitempty"`
	Others  *Percentiles `json:"others_ms,omitempty"`

	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`

	Verification *Verification `json:"verification,omitempty"`

	// Cleanup is the statement that removes what the run stored.
	Cleanup string `json:"cleanup"`
}

// Percentiles are times in milliseconds.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Verification is what the database has of the events. All counts are events.
type Verification struct {
	// Accepted of them were to be stored. Checked were looked for: all, unless
	// there is an Error.
	Accepted int64 `json:"accepted"`
	Checked  int64 `json:"checked"`
	// Missing are not there, Altered not as sent, Repeated there twice.
	Missing  int64 `json:"missing"`
	Altered  int64 `json:"altered"`
	Repeated int64 `json:"repeated"`
	// Some of their ids.
	MissingIDs []uuid.UUID `json:"missing_ids,omitempty"`
	AlteredIDs []uuid.UUID `json:"altered_ids,omitempty"`
	// Unclear are those whose request had no clear answer; they may be stored
	// or not, and UnclearStored are. Rejected were answered 4xx, and must not
	// be.
	Unclear        int64 `json:"unclear"`
	UnclearStored  int64 `json:"unclear_stored"`
	Rejected       int64 `json:"rejected"`
	RejectedStored int64 `json:"rejected_stored"`
	// Seconds is how long it took, Error why it came to no end.
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`

	Visible Visibility `json:"accept_to_visible"`
}

// Visibility is the time from an event's 202 to its being visible in the
// database, of a sample of events.
type Visibility struct {
	Samples int64 `json:"samples"`
	Unseen  int64 `json:"unseen"` // were not there by the end
	// Within is how much too long a time may be, in 99 of 100 cases: that
	// long ago the database had been asked before.
	Within  float64      `json:"within_ms"`
	Latency *Percentiles `json:"latency_ms,omitempty"`
}

func cleanup(source string) string {
	return fmt.Sprintf("DELETE FROM events WHERE source = '%s'", source)
}

// report adds up what was counted.
func (r *run) report(senders []*sender) *Report {
	t := r.recorder
	var sent, received int64
	for _, s := range senders {
		sent += s.traffic.sent.Load()
		received += s.traffic.received.Load()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := t.accepted.count() + t.rest.count()
	batch := int64(r.Batch)
	took := max(r.begun, t.last.Sub(r.start)) // without an answer, last is long ago
	rep := &Report{
		URL: r.URL, Source: r.template.source, Started: r.start.UTC().Truncate(time.Millisecond),
		Rate: r.Rate, Connections: r.Connections, Batch: r.Batch, EventBytes: r.template.size(),
		Seconds:  seconds(took),
		Requests: requests, Events: requests * batch, Accepted: t.accepted.count() * batch,
		Answers: map[string]int64{}, NoAnswer: t.answers[noAnswer], Unsent: t.unsent,
		Latency: percentiles(t.accepted), Others: percentiles(t.rest), BytesSent: sent, BytesReceived: received,
		Cleanup: cleanup(r.template.source),
	}
	for status, n := range t.answers {
		if status != noAnswer {
			rep.Answers[strconv.Itoa(status)] = n
		}
	}
	for status, text := range t.examples {
		if rep.Examples == nil {
			rep.Examples = map[string]string{}
		}
		rep.Examples[statusName(status)] = text
	}
	if s := took.Seconds(); s > 0 {
		rep.RequestsPerSecond = round(float64(requests-rep.NoAnswer-rep.Unsent) / s)
		rep.AcceptedPerSecond = round(float64(rep.Accepted) / s)
	}
	return rep
}

func statusName(status int) string {
	if status == noAnswer {
		return "no_answer"
	}
	return strconv.Itoa(status)
}

// Err says why the run is no success: every event has to be accepted and, where
// that was looked for, stored. It joins all reasons.
func (r *Report) Err() error {
	var errs []error
	if r.Accepted < r.Events || r.Events == 0 {
		errs = append(errs, fmt.Errorf("%d of %d events were not accepted (requests: %s)", r.Events-r.Accepted, r.Events, strings.Join(r.NotAccepted(), ", ")))
	}
	v := r.Verification
	if v == nil {
		return errors.Join(errs...)
	}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{v.Missing, "accepted events are missing in the database"},
		{v.Altered, "events are stored otherwise than they were sent"},
		{v.Repeated, "events are stored twice"},
		{v.RejectedStored, "events were rejected and stored all the same"},
	} {
		if c.n > 0 {
			errs = append(errs, fmt.Errorf("%d %s", c.n, c.what))
		}
	}
	if v.Error != "" {
		errs = append(errs, fmt.Errorf("%d of %d accepted events were checked: %s", v.Checked, v.Accepted, v.Error))
	}
	return errors.Join(errs...)
}

// NotAccepted lists what became of requests that were not accepted, "503: 20".
func (r *Report) NotAccepted() []string {
	var list []string
	for _, status := range slices.Sorted(maps.Keys(r.Answers)) {
		if status != strconv.Itoa(http.StatusAccepted) {
			list = append(list, fmt.Sprintf("%s: %d", status, r.Answers[status]))
		}
	}
	if r.NoAnswer > 0 {
		list = append(list, fmt.Sprintf("no answer: %d", r.NoAnswer))
	}
	if r.Unsent > 0 {
		list = append(list, fmt.Sprintf("due and not sent: %d", r.Unsent))
	}
	return list
}

// percentiles returns nil where there are none.
func percentiles(l *latencies) *Percentiles {
	if l.count() == 0 {
		return nil
	}
	return &Percentiles{
		P50: millis(l.at(50)), P90: millis(l.at(90)), P95: millis(l.at(95)),
		P99: millis(l.at(99)), P999: millis(l.at(99.9)), Max: millis(l.max),
	}
}

func millis(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

func round(f float64) float64 { return math.Round(f*10) / 10 }
