package httpserver

import "sync/atomic"

// budget counts something held by all requests together, up to a limit.
type budget struct {
	limit int64
	held  atomic.Int64
}

// take takes n more and reports whether the limit allows it; if not, nothing
// is taken.
func (b *budget) take(n int64) bool {
	if b.held.Add(n) > b.limit {
		b.held.Add(-n)
		return false
	}
	return true
}

// give gives back n taken before.
func (b *budget) give(n int64) { b.held.Add(-n) }

// lease is what one request holds of a budget.
type lease struct {
	of   *budget
	held int64
}

// take takes n more and reports whether there was room.
func (l *lease) take(n int64) bool {
	if !l.of.take(n) {
		return false
	}
	l.held += n
	return true
}

// end gives back all of it. The lease may be used again.
func (l *lease) end() {
	l.of.give(l.held)
	l.held = 0
}
