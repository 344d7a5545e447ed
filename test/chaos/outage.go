package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/test/chaos/load"
)

// Outage is what a fault is held to, on top, that makes events wait: what
// waited must be stored faster than it came in.
type Outage struct {
	// Within is how long after the healing everything must be stored; zero is
	// as long as it takes to settle.
	Within time.Duration
	// WorkGrowth is how much more memory work may have during the fault than
	// before it, in bytes; zero is any.
	WorkGrowth int64
}

// progress is one look at how far storing has come.
type progress struct {
	at               time.Duration // since the healing
	accepted, stored int           // accepted was read first
}

// Drained is how that which waited was stored.
type Drained struct {
	Waited int // events, at the first look after the healing
	// Begun is when the first of them was about to be stored, Done when all
	// of them were and all that had come after: since the healing, and -1 when
	// that was not seen.
	Begun, Done time.Duration
	Rate        float64 // events stored per second, from one to the other
}

// drained makes sense of looks, of which the first was at the healing.
func drained(looks []progress) Drained {
	d := Drained{Done: -1}
	if len(looks) == 0 {
		return d
	}
	first := looks[0]
	d.Waited, d.Begun = max(0, first.accepted-first.stored), first.at
	for _, look := range looks {
		if look.stored == first.stored {
			d.Begun = look.at
		}
		if look.stored >= look.accepted {
			d.Done = look.at
			if took := (d.Done - d.Begun).Seconds(); took > 0 {
				d.Rate = float64(look.stored-first.stored) / took
			}
			return d
		}
	}
	return d
}

// followDrain looks at the table from now on, the moment of the healing, until
// all is stored or the returned function is called, which returns the looks.
func (r *Run) followDrain(ctx context.Context) func() []progress {
	const interval, timeout = 100 * time.Millisecond, 5 * time.Second
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var looks []progress
	healed := r.Load.Now()
	look := func() (done bool) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		accepted := r.Sent.Accepted()
		stored, err := r.Env.Stored(ctx)
		if err != nil {
			return false // PostgreSQL may be about to come back
		}
		looks = append(looks, progress{r.Load.Now() - healed, accepted, stored})
		return stored >= accepted
	}
	wg.Go(func() {
		for ctx.Err() == nil && !look() {
			pause(ctx, interval)
		}
	})
	return func() []progress {
		stop()
		wg.Wait()
		return looks
	}
}

// footprint is the memory of processes at a moment, 0 of those that are down;
// of several workers it is that of the largest.
type footprint struct {
	at          time.Duration
	serve, work int64
}

// phases are the medians of something before, during and after the fault, and
// the most of it during the fault.
type phases struct{ before, during, most, after int64 }

func phasesOf(samples []footprint, injected load.Span, of func(footprint) int64) phases {
	var parts [3][]int64
	for _, s := range samples {
		part := 0
		switch {
		case s.at > injected.To:
			part = 2
		case s.at >= injected.From:
			part = 1
		}
		if v := of(s); v > 0 {
			parts[part] = append(parts[part], v)
		}
	}
	p := phases{before: median(parts[0]), during: median(parts[1]), after: median(parts[2])}
	if len(parts[1]) > 0 {
		p.most = slices.Max(parts[1])
	}
	return p
}

func (p phases) String() string {
	return fmt.Sprintf("%d MB before, %d MB during (%d MB at most), %d MB after", p.before>>20, p.during>>20, p.most>>20, p.after>>20)
}

// median of values, 0 of none.
func median[T int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// judgeOutage says how an outage went, and what of it should not have been.
func judgeOutage(r Result) (notes, wrong []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	limits, d := *r.Fault.Outage, r.Drained
	lasted := r.Injected.To - r.Injected.From
	came := float64(r.DuringFault.Valid[load.Accepted]) / max(lasted.Seconds(), 1e-3)
	tenths := func(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

	switch {
	case d.Done < 0:
		bad("%d events waited at the healing, and not all of them were seen stored", d.Waited)
	case d.Waited == 0:
		note("an outage of %v: nothing was seen to wait at its end", tenths(lasted))
	default:
		note("an outage of %v: %d events waited at the healing, storing them began %v later and ended %v later: %.0f/s, after they had come in at %.0f/s",
			tenths(lasted), d.Waited, tenths(d.Begun), tenths(d.Done), d.Rate, came)
		if d.Rate <= came {
			bad("what waited was stored at %.0f/s, slower than it had come in", d.Rate)
		}
	}
	if limits.Within > 0 && d.Done > limits.Within {
		bad("everything was stored %v after the healing, should be within %v", tenths(d.Done), limits.Within)
	}

	note("%d dead letters; nothing was on its way any more %v after the healing", r.DeadLetters, tenths(r.Quiet))
	ready := r.Seen.Ready
	note("serve was asked %d times while it was up and was not ready %d times; it took up to %v to come up",
		ready.Asked, ready.NotReady, tenths(ready.Slowest))

	work := phasesOf(r.Seen.Memory, r.Injected, func(f footprint) int64 { return f.work })
	note("memory of work: %v", work)
	note("memory of serve: %v", phasesOf(r.Seen.Memory, r.Injected, func(f footprint) int64 { return f.serve }))
	if growth := work.most - work.before; limits.WorkGrowth > 0 && work.before > 0 && growth > limits.WorkGrowth {
		bad("work grew by %d MB during the fault, should be at most %d MB", growth>>20, limits.WorkGrowth>>20)
	}
	return notes, wrong
}
