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

// tally counts what becomes of requests. It is safe for concurrent use.
type tally struct {
	mu             sync.Mutex
	answers        map[int]int64  // requests by status
	examples       map[int]string // of why, by status
	unsent         int64          // requests that were due and nobody was free to send
	accepted, rest *latencies
	sent, received int64 // bytes
	last           time.Time
}

func newTally() *tally {
	return &tally{answers: map[int]int64{}, examples: map[int]string{}, accepted: newLatencies(), rest: newLatencies()}
}

// outcome is what became of one request.
type outcome struct {
	status         int // noAnswer where there was none
	detail         string
	latency        time.Duration
	sent, received int64
	over           time.Time
}

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[o.status]++
	if o.status == http.StatusAccepted {
		t.accepted.add(o.latency)
	} else {
		t.rest.add(o.latency)
		if _, known := t.examples[o.status]; !known {
			t.examples[o.status] = o.detail
		}
	}
	t.sent += o.sent
	t.received += o.received
	if o.over.After(t.last) {
		t.last = o.over
	}
}

// addUnsent counts a request that waited so long to be sent, in vain.
func (t *tally) addUnsent(waited time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsent++
	t.rest.add(waited)
}

// counts returns how many requests were accepted, and how many not, and the
// latency of those accepted.
func (t *tally) counts() (accepted, rest int64, p99 time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accepted.count(), t.rest.count(), t.accepted.at(99)
}
