// Package worker turns deliveries into rows: it reads the stream as one
// consumer of a group, writes batches to the database and acknowledges what
// is committed.
//
// The order of those three steps is the whole of its promise. A delivery is
// acknowledged only after the commit that holds its event, so whatever dies in
// between leaves it pending, and a pending delivery is handed out again. The
// database keeps each event id once, so handing it out again costs a look-up
// and never a second row.
package consumer

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

// Stream is the side that deliveries come from. Methods may be called
// concurrently.
type Stream interface {
	// EnsureGroup makes the consumer group exist. It is cheap when it does.
	EnsureGroup(ctx context.Context) error
	// Read waits up to block for deliveries nobody has seen, and returns at
	// most max of them: none is not an error. What a cancelled or failed Read
	// was given stays pending under consumer.
	Read(ctx context.Context, consumer string, max int, block time.Duration) ([]event.Delivery, error)
	// Pending returns, oldest first, at most max of the deliveries that
	// consumer was given and has not acknowledged, behind the entry id after;
	// an empty page is the end.
	Pending(ctx context.Context, consumer, after string, max int) ([]event.Delivery, error)
	// Ack tells the group that the entries are dealt with and returns how
	// many of them were still pending.
	Ack(ctx context.Context, entryIDs []string) (int64, error)
	// Claim gives consumer at most max deliveries that have rested with any
	// consumer for minIdle or longer. It returns where to go on; "0-0" says
	// that the scan is complete, and a page may be empty before.
	Claim(ctx context.Context, consumer string, minIdle time.Duration, cursor string, max int) (page []event.Delivery, next string, err error)
	// DeadLetter moves deliveries to the dead letters: each is there and no longer
	// pending, or still pending.
	DeadLetter(ctx context.Context, dead []event.Rejection) error
	// Trim removes entries that every group is done with and returns how many.
	Trim(ctx context.Context) (int64, error)
	// RemoveIdleConsumers removes, except one, the consumers that have been
	// idle for so long and hold nothing, and returns how many.
	RemoveIdleConsumers(ctx context.Context, idle time.Duration, except string) (int, error)
}

// Store is the side that rows go to. Methods may be called concurrently.
type Store interface {
	// Insert stores all events or none. When it returns nil every event is
	// committed except those that it names as dropped. An error of
	// event.KindRejected will come again for the same events; any other may
	// not, and its outcome is unknown.
	Insert(ctx context.Context, events []event.Event) (event.Inserted, error)
}

// Worker consumes until told to stop.
type Worker struct {
	cfg     Config
	stream  Stream
	store   Store
	log     *slog.Logger
	metrics *metrics

	// slots holds one unit for each batch that may be in hand. A slot is
	// taken before reading, so a database that does not answer stops the
	// reading and bounds the memory.
	slots *semaphore.Weighted
	// entrySize is the size of recent entries, in bytes, by which the next
	// read is kept near Config.BatchBytes.
	entrySize atomic.Int64
	trouble   atomic.Pointer[trouble]
}

// trouble is what keeps the worker from progress, and since when.
type trouble struct {
	what  string
	err   error
	since time.Time
}

// New returns a worker that has not started. Metrics go to reg.
func New(cfg Config, stream Stream, store Store, log *slog.Logger, reg prometheus.Registerer) *Worker {
	return &Worker{
		cfg:     cfg,
		stream:  stream,
		store:   store,
		log:     log,
		metrics: newMetrics(reg),
		slots:   semaphore.NewWeighted(int64(cfg.Concurrency)),
	}
}

// Run consumes until ctx ends, then gives the batches in hand
// Config.ShutdownTimeout to be committed and acknowledged. Errors of the
// stream and the database are waited out and tried again, so Run returns only
// when ctx has ended; what it then leaves unfinished stays pending and is
// found by the next worker of the same name.
func (w *Worker) Run(ctx context.Context) {
	// The signal stops the reading. What is in hand runs on a context of its
	// own, ended only when its grace is over.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	w.log.Info("worker started", "consumer", w.cfg.Consumer, "batch_size", w.cfg.BatchSize, "concurrency", w.cfg.Concurrency)
	var tidying sync.WaitGroup
	tidying.Go(func() { w.tidy(ctx) })
	defer tidying.Wait()

	pause := newBackoff()
	for ctx.Err() == nil {
		err := w.consume(ctx, work, pause.Reset)
		if ctx.Err() != nil {
			break
		}
		wait := pause.NextBackOff()
		w.metrics.readErrors.Inc()
		w.stuck("reading the stream", err)
		w.log.Warn("reading the stream failed, trying again", "error", err, "wait", wait)
		sleep(ctx, wait)
	}

	w.log.Info("worker stopping: finishing the batches in hand")
	grace, cancel := context.WithTimeout(work, w.cfg.ShutdownTimeout)
	defer cancel()
	if err := w.idle(grace); err != nil {
		w.log.Warn("worker stopped before its batches were finished: they stay pending", "waited", w.cfg.ShutdownTimeout)
		stop()
		// The batches end by themselves now that their context has.
		_ = w.slots.Acquire(context.WithoutCancel(ctx), int64(w.cfg.Concurrency))
	}
	w.log.Info("worker stopped")
}

// consume makes sure of the group, deals with what was left pending under
// this name, then reads live until an error. Every read error leads back
// through the pending list: the reply that was lost may have been a delivery.
func (w *Worker) consume(ctx, work context.Context, progress func()) error {
	// A batch in hand is pending too; it must not be delivered a second time
	// to its own worker.
	if err := w.idle(ctx); err != nil {
		return err
	}
	if err := w.stream.EnsureGroup(ctx); err != nil {
		return err
	}
	if err := w.drainPending(ctx, work); err != nil {
		return err
	}
	for claimed := time.Now(); ; {
		if time.Since(claimed) >= w.claimInterval() {
			if err := w.claim(ctx, work); err != nil {
				return err
			}
			claimed = time.Now()
		}
		n, err := w.next(ctx, work, func(max int) ([]event.Delivery, error) {
			return w.stream.Read(ctx, w.cfg.Consumer, max, min(w.cfg.Block, w.claimInterval()))
		})
		if err != nil {
			return err
		}
		progress()
		if n == 0 {
			w.progressed("reading the stream")
		}
	}
}

// drainPending hands out, to the last page, what this consumer was given
// before and never acknowledged.
func (w *Worker) drainPending(ctx, work context.Context) error {
	after, total := "0", 0
	for {
		n, err := w.next(ctx, work, func(max int) ([]event.Delivery, error) {
			page, err := w.stream.Pending(ctx, w.cfg.Consumer, after, max)
			if len(page) > 0 {
				after = page[len(page)-1].EntryID
			}
			return page, err
		})
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		total += n
	}
	w.progressed("reading the stream")
	if total > 0 {
		w.metrics.recovered.Add(float64(total))
		w.log.Info("own pending deliveries taken up again", "deliveries", total)
	}
	return nil
}

// next takes a slot, reads one batch by way of read and starts its writing.
// It returns how many deliveries were read.
func (w *Worker) next(ctx, work context.Context, read func(max int) ([]event.Delivery, error)) (int, error) {
	if err := w.slots.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	deliveries, err := read(w.readSize())
	if err != nil || len(deliveries) == 0 {
		w.slots.Release(1)
		return 0, err
	}
	fault.Point(fault.WorkRead)
	w.measure(deliveries)
	go func() {
		defer w.slots.Release(1)
		w.process(ctx, work, deliveries)
	}()
	return len(deliveries), nil
}

// idle waits until no batch is in hand.
func (w *Worker) idle(ctx context.Context) error {
	if err := w.slots.Acquire(ctx, int64(w.cfg.Concurrency)); err != nil {
		return err
	}
	w.slots.Release(int64(w.cfg.Concurrency))
	return nil
}

// readSize is how many entries to ask for so that a batch stays near
// BatchBytes, judging by the entries seen last.
func (w *Worker) readSize() int {
	size := w.entrySize.Load()
	if size == 0 {
		return w.cfg.BatchSize
	}
	return max(1, min(w.cfg.BatchSize, int(int64(w.cfg.BatchBytes)/size)))
}

func (w *Worker) measure(deliveries []event.Delivery) {
	bytes := 0
	for _, d := range deliveries {
		for _, f := range d.Fields {
			bytes += len(f)
		}
	}
	w.entrySize.Store(int64(bytes/len(deliveries)) + 1)
}

// Progress returns nil while the worker gets on with its work, or says what
// keeps it and since when. It does not call anything.
func (w *Worker) Progress() error {
	t := w.trouble.Load()
	if t == nil {
		return nil
	}
	return &event.Error{
		Kind:   event.KindUnavailable,
		Detail: t.what + " fails since " + t.since.UTC().Format(time.RFC3339),
		Err:    t.err,
	}
}

func (w *Worker) stuck(what string, err error) {
	since := time.Now()
	if t := w.trouble.Load(); t != nil && t.what == what {
		since = t.since
	}
	w.trouble.Store(&trouble{what: what, err: err, since: since})
}

func (w *Worker) progressed(what string) {
	if t := w.trouble.Load(); t != nil && t.what == what && w.trouble.CompareAndSwap(t, nil) {
		w.log.Info("working again", "after", time.Since(t.since).Round(time.Millisecond), "was", t.what)
	}
}

// newBackoff starts quick, because most failures are a blip, and settles at a
// few seconds with jitter, because a fleet that retries in step is an outage
// of its own.
func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 50 * time.Millisecond
	b.MaxInterval = 2 * time.Second
	b.Multiplier = 2
	b.Reset()
	return b
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
