package main

import "time"

// comingUp is how long a process that was started may take to be ready.
const comingUp = 5 * time.Second

// readiness judges what the readiness probe of a process says that may die and
// be started again: once ready it must stay so until it dies, and it must
// become ready soon.
type readiness struct {
	life  int           // which of its lives was last seen
	since time.Duration // when that was first seen
	up    bool          // it has been ready in that life

	Asked, NotReady int
	Slowest         time.Duration // the longest that a life took to be ready
	Why             error         // it was not ready, the first time
}

// saw enters what a process answered, nil being ready, that lived from before it
// was asked until after.
func (r *readiness) saw(at time.Duration, life int, answer error) {
	ready := answer == nil
	if life != r.life {
		r.life, r.since, r.up = life, at, false
	}
	r.Asked++
	switch {
	case ready && !r.up:
		r.up, r.Slowest = true, max(r.Slowest, at-r.since)
	case !ready && (r.up || at-r.since > comingUp):
		if r.NotReady++; r.Why == nil {
			r.Why = answer
		}
	}
}
