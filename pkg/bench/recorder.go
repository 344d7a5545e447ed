package bench

import (
	"net/http"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// noAnswer stands among the statuses for requests that got none.
const noAnswer = 0

// latencies are times, to the microsecond and three digits.
type latencies struct {
	histogram *hdrhistogram.Histogram
	max       time.Duration
}

const longest = time.Hour

func newLatencies() *latencies {
	return &latencies{histogram: hdrhistogram.New(1, longest.Microseconds(), 3)}
}

func (l *latencies) add(d time.Duration) {
	l.max = max(l.max, d)
	// It refuses only what is out of its range.
	_ = l.histogram.RecordValue(min(max(d, time.Microsecond), longest).Microseconds())
}

func (l *latencies) count() int64 { return l.histogram.TotalCount() }

// at returns the time within which percent of them were.
func (l *latencies) at(percent float64) time.Duration {
	return min(time.Duration(l.histogram.ValueAtPercentile(percent))*time.Microsecond, l.max)
}

// recorder counts what becomes of requests. It is safe for concurrent use.
type recorder struct {
	mu             sync.Mutex
	answers        map[int]int64  // requests by status
	examples       map[int]string // of why, by status
	unsent         int64          // requests that were due and nobody was free to send
	accepted, rest *latencies
	last           time.Time
}

func newRecorder() *recorder {
	return &recorder{answers: map[int]int64{}, examples: map[int]string{}, accepted: newLatencies(), rest: newLatencies()}
}

// outcome is what became of one request.
type outcome struct {
	status  int // noAnswer where there was none
	detail  string
	latency time.Duration
	over    time.Time
}

func (r *recorder) add(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[o.status]++
	if o.status == http.StatusAccepted {
		r.accepted.add(o.latency)
	} else {
		r.rest.add(o.latency)
		if _, known := r.examples[o.status]; !known {
			r.examples[o.status] = o.detail
		}
	}
	if o.over.After(r.last) {
		r.last = o.over
	}
}

// addUnsent counts a request that waited so long to be sent, in vain.
func (r *recorder) addUnsent(waited time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsent++
	r.rest.add(waited)
}

// counts returns how many requests were accepted, and how many not, and the
// latency of those accepted.
func (r *recorder) counts() (accepted, rest int64, p99 time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted.count(), r.rest.count(), r.accepted.at(99)
}
