package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/load"
	"github.com/eventpulse/eventpulse/test/chaos/verify"
)

// Options are what every fault is run with.
type Options struct {
	Binary   *env.Binary
	Dir      string
	Duration time.Duration // of the load, at least
	Rate     float64
	Seed     uint64
	// ConservationOnly judges what is stored and what was answered, and nothing
	// that depends on how fast the machine is: no share, no latency, no time
	// until ready or stored. It is for tests that share the machine with others.
	ConservationOnly bool
}

// longCalm is the longest calm before the fault, of which there is one, and
// after it, of which there are two.
const longCalm = 3 * time.Second

// full reports whether windows of faults are kept to, or cut short.
func (o Options) full() bool { return o.Duration >= 30*time.Second }

// calm is how long nothing is done before the fault, and half as long as after.
func (o Options) calm() time.Duration { return min(o.Duration/10, longCalm) }

// generous is the time limit of something that only has to happen: it is
// longer where speed is not judged.
func (o Options) generous(limit time.Duration) time.Duration {
	if o.ConservationOnly {
		return 5 * limit
	}
	return limit
}

// window is how long the fault of a fault lasts: all of the load but the calm,
// or longer where the fault wants that.
func (o Options) window(f Fault) time.Duration {
	window := o.Duration - 3*o.calm()
	if o.full() {
		window = max(window, f.Window)
	}
	return window
}

// Run is a fault being run.
type Run struct {
	Fault   Fault
	Options Options
	Env     *env.Environment
	Load    *load.Generator
	Sent    *load.SentLog

	mu      sync.Mutex
	allowed verify.Allowed
	drops   func(uuid.UUID) bool // what the database drops; nil for nothing
	poison  map[string]poison    // what was put into the stream by hand, by token
	counts  map[string]int
	notes   []string
	wrong   []string
	table   string
}

func (r *Run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *Run) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// count counts an occurrence, to be noted at the end.
func (r *Run) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[what]++
}

// forget notes ids that have been taken away on purpose.
func (r *Run) forget(ids []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.allowed.Removed == nil {
		r.allowed.Removed = map[uuid.UUID]bool{}
	}
	for _, id := range ids {
		r.allowed.Removed[id] = true
	}
}

// damage notes that so many events on disk were damaged at most.
func (r *Run) damage(events int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed.Damaged += events
}

// poisoned notes an entry that must end as a dead letter.
func (r *Run) poisoned(token string, kind poison) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.poison == nil {
		r.poison = map[string]poison{}
	}
	r.poison[token] = kind
}

// poisons is how many entries of poison there are.
func (r *Run) poisons() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.poison)
}

// perform runs a fault from the opening of its environment to the result.
func perform(ctx context.Context, f Fault, o Options) Result {
	result := Result{Fault: f, Dir: filepath.Join(o.Dir, f.Name)}
	cfg := env.DefaultConfig()
	cfg.Binary, cfg.Dir = o.Binary, result.Dir
	if f.Env != nil {
		f.Env(&cfg)
	}
	s, err := env.Open(ctx, cfg)
	switch {
	case errors.Is(err, env.ErrNotHere):
		result.NotRun = err.Error()
		return result
	case err != nil:
		result.Wrong = []string{"open the environment: " + err.Error()}
		return result
	}

	offered, maker := load.DefaultConfig(), load.Maker{Seed: o.Seed, Minted: 0.4}
	offered.Rate = o.Rate
	if f.Load != nil {
		f.Load(&offered, &maker)
	}
	client := load.NewClient(s.API)
	defer client.Close()
	sent := load.NewSentLog(maker)
	r := &Run{Fault: f, Options: o, Env: s, Sent: sent, Load: load.NewGenerator(offered, sent, client)}

	r.play(ctx, &result)
	r.check(ctx, &result)
	r.end(&result)
	for what, n := range r.counts {
		r.note("%d %s", n, what)
	}
	result.Notes, result.Wrong = r.notes, append(result.Wrong, r.wrong...)
	return result
}

// play offers the load, injects the fault in the middle of it, and waits for
// everything to be stored.
func (r *Run) play(ctx context.Context, result *Result) {
	watch := r.watch(ctx)
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	var wg sync.WaitGroup
	wg.Go(func() { r.Load.Run(loading) })

	calm := r.Options.calm()
	pause(ctx, calm)
	result.Injected.From = r.Load.Now()
	harming, heal := context.WithTimeout(ctx, r.Options.window(r.Fault))
	err := r.Fault.Inject(harming, r)
	heal()
	result.Injected.To = r.Load.Now()
	switch {
	case errors.Is(err, env.ErrNotHere):
		result.NotRun = err.Error()
	case err != nil:
		r.fail("inject: %v", err)
	}

	looks := func() []progress { return nil }
	if r.Fault.Outage != nil {
		looks = r.followDrain(ctx)
	}
	wg.Go(func() { result.Fresh = r.fresh(ctx) })
	pause(ctx, 2*calm)
	stopLoad()
	wg.Wait()
	result.End = r.Load.Now()

	begin := time.Now()
	settling, cancel := context.WithTimeout(ctx, r.Options.generous(settleLimit))
	defer cancel()
	if err := r.Env.Settle(settling, r.allStored(settling)); err != nil {
		r.fail("%v", err)
	}
	result.Settled = time.Since(begin)
	result.Quiet = r.Load.Now() - result.Injected.To
	result.Drained = drained(looks())
	result.Seen = watch()
	result.Seen.Drained = max(0, result.Seen.Drained-result.Injected.To)
}

// fresh posts an event until it is accepted, and waits until it is stored. It
// returns the time from the beginning, or -1 when that does not come.
func (r *Run) fresh(ctx context.Context) time.Duration {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.Options.generous(time.Minute))
	defer cancel()
	for ctx.Err() == nil {
		number, outcome := r.Load.Post(ctx)
		if outcome != load.Accepted {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		id := r.Sent.ID(number)
		for ctx.Err() == nil {
			if held, err := r.Env.Holds(ctx, id); err == nil && held {
				return time.Since(begin)
			}
			pause(ctx, 20*time.Millisecond)
		}
	}
	return -1
}

// allStored reports whether the table has as many rows as events were
// accepted, or has stopped growing: then it is for the check to say why.
func (r *Run) allStored(ctx context.Context) func() (bool, error) {
	const timeout = 5 * time.Second
	rows, since := -1, time.Now()
	return func() (bool, error) {
		n, err := r.Env.Stored(ctx)
		if err != nil {
			return false, err
		}
		if n != rows {
			rows, since = n, time.Now()
		}
		return n >= r.Sent.Accepted() || time.Since(since) > timeout, nil
	}
}

// end stops the processes in order and closes the environment.
func (r *Run) end(result *Result) {
	for _, c := range append([]*env.Child{r.Env.Serve}, r.Env.Workers...) {
		for _, exit := range c.Exits() {
			r.fail("%s ended by itself: %s", c.Name(), exit)
		}
		if _, err := c.Stop(r.Options.generous(stopLimit)); err != nil {
			r.fail("%v", err)
		}
		for _, crash := range crashes(c.LogPath()) {
			r.fail("%s: %s", c.Name(), crash)
		}
	}
	if err := r.Env.Close(); err != nil {
		r.fail("close the environment: %v", err)
	}
	result.Logs = r.logs()
}
