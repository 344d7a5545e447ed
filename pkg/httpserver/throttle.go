package httpserver

import (
	"sync"
	"time"
)

// throttle lets so many things through per second and counts the others.
type throttle struct {
	perSecond int

	mu         sync.Mutex
	second     int64
	let        int
	suppressed int
}

// allow reports whether one more may pass at now, and if so how many were
// held back since the last that did.
func (t *throttle) allow(now time.Time) (ok bool, suppressed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := now.Unix(); s != t.second {
		t.second, t.let = s, 0
	}
	if t.let >= t.perSecond {
		t.suppressed++
		return false, 0
	}
	t.let++
	suppressed, t.suppressed = t.suppressed, 0
	return true, suppressed
}
