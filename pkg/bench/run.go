package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Progress is how far a run has come.
type Progress struct {
	// Elapsed is the time since the first request.
	Elapsed time.Duration
	// Accepted and Rest are events: those accepted, and all others.
	Accepted, Rest int64
	// P99 is the latency of accepted requests so far.
	P99 time.Duration
	// Verifying says that sending is over, and Verified of the accepted
	// events have been looked for.
	Verifying bool
	Verified  int64
}

// progressEvery is how often progress is told.
const progressEvery = 500 * time.Millisecond

// Run offers events as o says, and returns what became of them. With a db it
// then looks for what was accepted there. Progress is told now and then, from
// one goroutine at a time; it may be nil.
//
// When ctx ends, no more requests are begun, those under way have a second,
// and what was accepted until then is looked for all the same. When it ends
// later, looking for it does too. The error says why nothing could be measured;
// [Report.Err] whether what was measured is as it should be.
func Run(ctx context.Context, o Options, db Database, progress func(Progress)) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	t, err := parseTarget(o.URL, o.Batch > 1)
	if err != nil {
		return nil, err
	}
	return newRun(o, t.dialer(o.Timeout), t, db, progress).run(ctx)
}

// run is one run.
type run struct {
	Options
	id       string
	template *template
	dial     dialer
	target   target
	db       Database
	progress func(Progress)
	recorder *recorder
	watcher  *watcher
	start    time.Time
	begun    time.Duration // how long requests were begun
}

func newRun(o Options, dial dialer, t target, db Database, progress func(Progress)) *run {
	r := &run{Options: o, id: newRunID(), dial: dial, target: t, db: db, progress: progress, recorder: newRecorder()}
	if progress == nil {
		r.progress = func(Progress) {}
	}
	r.template = newTemplate(r.id, o.EventBytes)
	return r
}

func (r *run) run(ctx context.Context) (*Report, error) {
	senders, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	var watching sync.WaitGroup
	loaded := make(chan struct{})
	watchCtx, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer watching.Wait()
	defer stopWatching()
	if r.db != nil {
		r.watcher = newWatcher(r.db, r.WatchEvery)
		for _, w := range senders {
			w.sample = r.watcher.offer
		}
		watching.Go(func() { r.watcher.run(watchCtx, loaded) })
	}
	r.load(ctx, senders)
	close(loaded)
	report := r.report(senders)
	report.Interrupted = ctx.Err() != nil
	if r.db == nil {
		return report, nil
	}

	if report.Interrupted {
		ctx = context.WithoutCancel(ctx)
	}
	deadline := time.Now().Add(r.VerifyTimeout)
	report.Verification = r.verify(ctx, senders, deadline)
	// What was to be seen has been by now.
	seen, cancel := context.WithTimeout(ctx, max(time.Until(deadline), 0))
	defer cancel()
	defer context.AfterFunc(seen, stopWatching)()
	if report.Verification.Missing > 0 || report.Verification.Error != "" {
		stopWatching()
	}
	watching.Wait()
	report.Verification.Visible = r.watcher.result()
	return report, nil
}

// connect makes the connections before the clock starts.
func (r *run) connect(ctx context.Context) ([]*sender, error) {
	senders := make([]*sender, r.Connections)
	errs := make([]error, r.Connections)
	var dialing sync.WaitGroup
	for i := range senders {
		w := &sender{
			url: r.target.url, dial: r.dial, timeout: r.Timeout, recorder: r.recorder, pause: r.Rate == 0,
			request: newRequest(r.template, r.Batch),
		}
		if r.db != nil {
			w.sent = new(sentLog)
		}
		senders[i] = w
		dialing.Go(func() { errs[i] = w.connect(ctx) })
	}
	dialing.Wait()
	for _, err := range errs {
		if err != nil {
			for _, w := range senders {
				w.close()
			}
			return nil, fmt.Errorf("connect to %s: %w", r.URL, err)
		}
	}
	return senders, nil
}

// load sends until the time is over or ctx ends.
func (r *run) load(ctx context.Context, senders []*sender) {
	r.start = time.Now()
	var sending, telling sync.WaitGroup
	var p pacer
	if r.Rate > 0 {
		open := newOpenLoop(r.start, r.Options)
		sending.Go(func() { open.run(ctx, r.recorder.addUnsent) })
		p = open
	} else {
		loop := closedLoop{ctx: ctx, end: r.start.Add(r.Duration)}
		if r.Requests > 0 {
			loop.left = new(atomic.Int64)
			loop.left.Store(int64(r.Requests))
		}
		p = loop
	}
	for _, w := range senders {
		sending.Go(func() { w.run(ctx, p) })
	}
	sent := make(chan struct{})
	telling.Go(func() { r.tell(sent) })
	sending.Wait()
	r.begun = r.Duration // the last request of a fixed rate is due before
	if ctx.Err() != nil || r.Requests > 0 {
		r.begun = min(time.Since(r.start), r.Duration)
	}
	close(sent)
	telling.Wait()
}

// tell reports how the sending goes.
func (r *run) tell(sent <-chan struct{}) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-sent:
			return
		case <-tick.C:
			accepted, rest, p99 := r.recorder.counts()
			batch := int64(r.Batch)
			r.progress(Progress{Elapsed: time.Since(r.start), Accepted: accepted * batch, Rest: rest * batch, P99: p99})
		}
	}
}

func (r *run) verify(ctx context.Context, senders []*sender, deadline time.Time) *Verification {
	logs := make([]*sentLog, len(senders))
	for i, w := range senders {
		logs[i] = w.sent
	}
	result := new(Verification)
	var told time.Time
	v := &verifier{db: r.db, template: r.template, deadline: deadline, result: result, progress: func(checked int64) {
		if now := time.Now(); now.Sub(told) >= progressEvery {
			told = now
			r.progress(Progress{Elapsed: now.Sub(r.start), Accepted: result.Accepted, Verifying: true, Verified: checked})
		}
	}}
	if err := v.run(ctx, logs); err != nil {
		result.Error = err.Error()
	}
	return result
}
