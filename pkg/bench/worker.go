package bench

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// redialPause is how long a connection that cannot be made is left alone where
// no rate holds it back.
const redialPause = 100 * time.Millisecond

// worker sends one request after the other on a connection of its own.
type worker struct {
	dial    dialer
	timeout time.Duration
	conn    *conn
	request *request
	tally   *tally
	pause   bool    // after a connection that could not be made
	ledger  *ledger // nil where nobody asks
	// sample is told of accepted events, where somebody asks.
	sample func(id uuid.UUID, at time.Time)
}

// connect makes the connection unless there is one.
func (w *worker) connect(ctx context.Context) error {
	if w.conn != nil && !w.conn.stale(time.Now()) {
		return nil
	}
	w.close()
	raw, err := w.dial(ctx)
	if err != nil {
		return err
	}
	w.conn = newConn(ctx, raw, w.timeout)
	return nil
}

func (w *worker) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// run sends what is due until nothing more is.
func (w *worker) run(ctx context.Context, p pace) {
	defer w.close()
	for {
		due, ok := p.next()
		if !ok {
			return
		}
		w.once(ctx, due)
	}
}

// once sends one request and counts what becomes of it.
func (w *worker) once(ctx context.Context, due time.Time) {
	if err := w.connect(ctx); err != nil {
		now := time.Now()
		w.tally.add(outcome{status: noAnswer, detail: unanswered(err), latency: now.Sub(due), over: now})
		if w.pause {
			rest(ctx, redialPause)
		}
		return
	}
	now := time.Now()
	w.request.renew(now)
	a, err := w.conn.do(w.request.wire, now)
	now = time.Now()
	w.conn.last = now
	o := outcome{status: a.status, detail: a.excerpt, latency: now.Sub(due), sent: int64(len(w.request.wire)), received: a.received, over: now}
	if err != nil {
		o.status, o.detail = noAnswer, unanswered(err)
	}
	if err != nil || a.last {
		w.close()
	}
	w.tally.add(o)
	if w.ledger != nil {
		w.ledger[fateOf(o.status)].add(w.request.ids)
	}
	if w.sample != nil && o.status == http.StatusAccepted {
		w.sample(w.request.ids[0], now)
	}
}

// rest waits, but not longer than ctx.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
