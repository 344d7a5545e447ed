package consumer

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// health knows what fails and what stands still. Each failure is of one cause
// and one owner, and ends only with a success of the same: that writing works
// says nothing about reading, and that one batch gets on nothing about another.
type health struct {
	log *slog.Logger
	// limit is how long a step may last before it counts as a standstill.
	limit time.Duration

	mu         sync.Mutex
	failures   map[mark]failure
	activities map[*activity]struct{}
}

// mark is who fails at what.
type mark struct {
	what  string
	owner any
}

type failure struct {
	err   error
	since time.Time
	// until is when it is no longer known to be so; zero is never.
	until time.Time
}

func (f failure) over(now time.Time) bool { return !f.until.IsZero() && now.After(f.until) }

func newHealth(log *slog.Logger, limit time.Duration) *health {
	return &health{log: log, limit: limit, failures: map[mark]failure{}, activities: map[*activity]struct{}{}}
}

// fail marks what as failing for owner until ok or forget.
func (h *health) fail(what string, owner any, err error) { h.set(what, owner, failure{err: err}) }

// failFor marks what as failing for owner until ok or forget, or for d.
func (h *health) failFor(d time.Duration, what string, owner any, err error) {
	h.set(what, owner, failure{err: err, until: time.Now().Add(d)})
}

func (h *health) set(what string, owner any, f failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.since = time.Now()
	if known, ok := h.failures[mark{what, owner}]; ok && !known.over(f.since) {
		f.since = known.since
	}
	h.failures[mark{what, owner}] = f
}

// ok marks what as healthy for owner.
func (h *health) ok(what string, owner any) {
	h.mu.Lock()
	f, failing := h.failures[mark{what, owner}]
	delete(h.failures, mark{what, owner})
	h.mu.Unlock()
	// Logged without the lock: a log that blocks must not block check.
	if failing {
		h.log.Info("working again", "after", time.Since(f.since).Round(time.Millisecond), "was", what)
	}
}

// forget removes what is known of owner.
func (h *health) forget(owner any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.failures, func(m mark, _ failure) bool { return m.owner == owner })
}

// check returns nil, or an error of event.KindUnavailable that names all causes
// of failure and all standstills, the oldest first.
func (h *health) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	type line struct {
		since time.Time
		text  string
	}
	causes := map[string]line{}
	note := func(what string, l line) {
		if known, ok := causes[what]; !ok || l.since.Before(known.since) {
			causes[what] = l
		}
	}
	now := time.Now()
	for m, f := range h.failures {
		if f.over(now) {
			delete(h.failures, m)
			continue
		}
		note(m.what, line{f.since, m.what + " fails since " + f.since.UTC().Format(time.RFC3339) + ": " + f.err.Error()})
	}
	for a := range h.activities {
		if !a.since.IsZero() && now.Sub(a.since) > h.limit {
			note("standstill at "+a.what, line{a.since, "nothing has moved since " + a.since.UTC().Format(time.RFC3339) + " while " + a.what})
		}
	}
	if len(causes) == 0 {
		return nil
	}
	lines := slices.SortedFunc(maps.Values(causes), func(a, b line) int {
		return cmp.Or(a.since.Compare(b.since), strings.Compare(a.text, b.text))
	})
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.text
	}
	return &event.Error{Kind: event.KindUnavailable, Detail: strings.Join(texts, "; ")}
}

// activity is something that takes steps and is watched for standing still.
type activity struct {
	*health
	what  string
	since time.Time // of the step; zero when nothing is expected
}

// begin starts to watch.
func (h *health) begin() *activity {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := &activity{health: h}
	h.activities[a] = struct{}{}
	return a
}

// step says that a step begins now and the one before is over.
func (a *activity) step(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.what, a.since = what, time.Now()
}

// rest says that no step is under way: it waits, as it should.
func (a *activity) rest() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = time.Time{}
}

// end stops to watch.
func (a *activity) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.activities, a)
}
