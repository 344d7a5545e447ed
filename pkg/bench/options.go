package bench

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// The widest that options may be set.
const (
	mostConnections = 10_000
	mostBatch       = 100_000
	mostEventBytes  = 4 << 20
	// mostRequestBytes bounds what all connections hold of requests: each has
	// its own body, made beforehand.
	mostRequestBytes = 1 << 30
	mostRate         = 1e7
)

// Options say what is offered to whom.
type Options struct {
	// URL is the root of the API, http://host:port or https://…
	URL string
	// Rate is how many events are offered a second, whatever becomes of them
	// (open loop); 0 offers the next request of a connection when its last
	// one is answered (closed loop).
	Rate float64
	// Duration is how long requests are begun.
	Duration time.Duration
	// Connections is how many requests are under way at once, at most.
	Connections int
	// Batch is how many events a request has; 1 goes to the endpoint for one
	// event, more to that for batches.
	Batch int
	// EventBytes is the size of one event's JSON.
	EventBytes int
	// Requests ends a closed loop after so many; 0 leaves that to Duration.
	Requests int
	// WatchEvery is how often the database is asked for events that are watched
	// on their way, and so how exact the time until they are visible is.
	WatchEvery time.Duration
	// Timeout is how long a request may take before it counts as unanswered.
	Timeout time.Duration
	// VerifyTimeout is how long after the last request an accepted event may
	// take to be in the database.
	VerifyTimeout time.Duration
}

// DefaultOptions returns the options of a short run that saturates a server
// on this machine.
func DefaultOptions() Options {
	return Options{
		URL:           "http://localhost:3000",
		Duration:      10 * time.Second,
		Connections:   64,
		Batch:         1,
		EventBytes:    230,
		WatchEvery:    10 * time.Millisecond,
		Timeout:       10 * time.Second,
		VerifyTimeout: time.Minute,
	}
}

// Validate reports everything that is wrong, each by the name of its flag.
func (o Options) Validate() error {
	var errs []error
	bad := func(flag, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--"+flag+" "+format, args...))
	}
	if _, err := parseTarget(o.URL, o.Batch > 1); err != nil {
		bad("url", "%w", err)
	}
	if !(o.Rate >= 0 && o.Rate <= mostRate) { // NaN is neither
		bad("rate", "is %v: must be within 0 and %v events a second", o.Rate, mostRate)
	}
	if o.Connections < 1 || o.Connections > mostConnections {
		bad("connections", "is %d: must be within 1 and %d", o.Connections, mostConnections)
	}
	if o.Batch < 1 || o.Batch > mostBatch {
		bad("batch", "is %d: must be within 1 and %d", o.Batch, mostBatch)
	}
	if least := newTemplate(newRunID(), 0).size(); o.EventBytes < least || o.EventBytes > mostEventBytes {
		bad("size", "is %d: must be within %d and %d bytes", o.EventBytes, least, mostEventBytes)
	}
	if len(errs) == 0 && o.Connections*o.Batch*o.EventBytes > mostRequestBytes {
		bad("connections", "times --batch times --size is %d bytes: at most %d", o.Connections*o.Batch*o.EventBytes, mostRequestBytes)
	}
	if o.Requests < 0 || o.Requests > 0 && o.Rate > 0 {
		bad("requests", "is %d: must be at least 0, and 0 at a fixed rate", o.Requests)
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"duration", o.Duration}, {"timeout", o.Timeout}, {"verify-timeout", o.VerifyTimeout}, {"watch-every", o.WatchEvery}} {
		if d.value <= 0 {
			bad(d.flag, "is %v: must be more than 0", d.value)
		}
	}
	return errors.Join(errs...)
}

// EventBytesOf returns the EventBytes of events whose payload has so many
// bytes, or the fewest that a payload can have.
func EventBytesOf(payload int) int {
	t := newTemplate(newRunID(), 0)
	return t.size() + max(0, payload-(t.payloadEnd-t.payload))
}

// interval is the time from one request to the next at a fixed rate, in
// nanoseconds.
func (o Options) interval() float64 { return float64(time.Second) * float64(o.Batch) / o.Rate }

// target is where requests go.
type target struct {
	tls  bool
	addr string // to dial
	url  string // of the endpoint
}

func parseTarget(text string, batch bool) (target, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return target{}, errors.New("must be a URL such as http://localhost:3000")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return target{}, fmt.Errorf("is %q: must be a URL such as http://localhost:3000", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return target{}, fmt.Errorf("is %q: must have no user, query or fragment", u.Redacted())
	}
	t := target{tls: u.Scheme == "https", url: u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/") + "/api/v1/events"}
	if batch {
		t.url += "/batch"
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	t.addr = net.JoinHostPort(u.Hostname(), port)
	return t, nil
}
