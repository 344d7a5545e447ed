package httpserver

import "sync/atomic"

// budget counts something held by all requests together, up to a limit.
type budget struct {
	limit int64
	held  atomic.Int64
}

// acquire adds n and reports whether the limit allows it; if not, nothing is
// added.
func (b *budget) acquire(n int64) bool {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return false
	}
	return true
}

// release gives back n acquired before.
func (b *budget) release(n int64) { b.held.Add(-n) }

// lease is what one request holds of a budget.
type lease struct {
	of   *budget
	held int64
}

// acquire adds n and reports whether the budget allows it.
func (l *lease) acquire(n int64) bool {
	if !l.of.acquire(n) {
		return false
	}
	l.held += n
	return true
}

// release gives back all of it. The lease may be used again.
func (l *lease) release() {
	l.of.release(l.held)
	l.held = 0
}
