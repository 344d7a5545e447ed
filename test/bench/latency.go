package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/bench/rig"
	"github.com/eventpulse/eventpulse/test/bench/sample"
)

// latency measures how long producers wait for an answer, and readers of the
// database for an event after that, at a rate that leaves everybody time.
func latency(ctx context.Context, e *Env) (func(context.Context, *Round) error, error) {
	t, err := newTable(ctx, e, sample.Maker{}, 1)
	if err != nil {
		return nil, err
	}
	postP50 := Figure{Name: "POST p50", Unit: "ms"}
	postP99 := Figure{Name: "POST p99", Unit: "ms", Goal: atMost(10)}
	visibleP50 := Figure{Name: "accepted to visible p50", Unit: "ms", Goal: atMost(10)}
	visibleP99 := Figure{Name: "accepted to visible p99", Unit: "ms", Goal: atMost(100)}
	resolution := Figure{Name: "between looks at the table", Unit: "ms, mean"}
	const perSecond = 1000

	return func(ctx context.Context, r *Round) error {
		if err := t.rig.Exec(ctx, "TRUNCATE events", "CHECKPOINT"); err != nil {
			return err
		}
		return t.withStream(func() error {
			serve, err := t.rig.Serve(ctx, nil)
			if err != nil {
				return err
			}
			work, err := t.rig.Work(ctx, nil)
			if err != nil {
				return err
			}
			seen, err := t.sendAndSee(ctx, serve, perSecond, 3*e.span())
			if err = errors.Join(err, serve.End(), work.End()); err != nil {
				return err
			}
			r.Note(postP50, millis(measure.Percentile(seen.post, 0.50)))
			r.Note(postP99, millis(measure.Percentile(seen.post, 0.99)))
			r.Note(visibleP50, millis(measure.Percentile(seen.visible, 0.50)))
			r.Note(visibleP99, millis(measure.Percentile(seen.visible, 0.99)))
			r.Note(resolution, millis(seen.between))
			return nil
		})
	}, nil
}

// seen is how long producers and readers waited.
type seen struct {
	post, visible []time.Duration
	between       time.Duration // looks at the table
}

// sendAndSee posts single events at a rate for a time, and watches them appear
// in the table.
func (t *table) sendAndSee(ctx context.Context, serve *rig.App, perSecond int, d time.Duration) (seen, error) {
	count := int(d.Seconds()) * perSecond
	accepted := make([]time.Time, count)
	watcher := watcher{db: t.rig.DB, visible: make([]time.Time, count)}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var watchErr error
	wg.Go(func() { watchErr = watcher.watch(watching) })

	sent, err := measure.Sender{
		Addr: serve.API, Path: singlePath, Connections: 64, Requests: count, Interval: time.Second / time.Duration(perSecond),
		Body:     func(n int, buf []byte) []byte { return append(buf, sample.Maker{}.JSON(n)...) },
		Answered: func(n int, at time.Time) { accepted[n] = at },
	}.Run(ctx)
	if err != nil {
		stop()
		wg.Wait()
		return seen{}, err
	}
	const limit = 30 * time.Second
	patience := time.AfterFunc(limit, stop)
	wg.Wait()
	patience.Stop()
	if watchErr != nil {
		return seen{}, watchErr
	}
	s := seen{post: sent.Times, visible: make([]time.Duration, count), between: watcher.between()}
	for n := range count {
		// The answer may be on its way longer than the event.
		s.visible[n] = max(0, watcher.visible[n].Sub(accepted[n]))
	}
	return s, nil
}

// watcher looks at the table as any other session, until all events are there.
type watcher struct {
	db      *sql.DB
	visible []time.Time // when each was first seen
	low     int         // those below were all seen
	looks   int
	took    time.Duration
}

// between is the mean time from one look to the next.
func (w *watcher) between() time.Duration { return w.took / time.Duration(max(1, w.looks)) }

func (w *watcher) watch(ctx context.Context) error {
	const often = 2 * time.Millisecond
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("look at the table: %w", err)
	}
	defer func() { _ = conn.Close() }()
	// PostgreSQL has not looked at the table since it was empty, and would read
	// all of it every time.
	if _, err := conn.ExecContext(ctx, "SET enable_seqscan = off; SET enable_bitmapscan = off"); err != nil {
		return fmt.Errorf("look at the table: %w", err)
	}
	ticker := time.NewTicker(often)
	defer ticker.Stop()
	begin := time.Now()
	for w.low < len(w.visible) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d events of %d were seen: %w", w.low, len(w.visible), ctx.Err())
		case <-ticker.C:
		}
		if err := w.look(ctx, conn); err != nil {
			return fmt.Errorf("look at the table: %w", err)
		}
	}
	w.took = time.Since(begin)
	return nil
}

// look asks for the first event that was not seen yet and all later ones, by
// their timestamps, which tell their numbers and which no two share.
func (w *watcher) look(ctx context.Context, conn *sql.Conn) error {
	w.looks++
	rows, err := conn.QueryContext(ctx, `SELECT (extract(epoch FROM "timestamp") * 1000000)::bigint FROM events WHERE "timestamp" >= $1`,
		sample.Happened(w.low))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var fresh []int
	for rows.Next() {
		var micros int64
		if err := rows.Scan(&micros); err != nil {
			return err
		}
		fresh = append(fresh, sample.NumberAt(micros))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	now := time.Now()
	for _, n := range fresh {
		if n < 0 || n >= len(w.visible) {
			return fmt.Errorf("an event that nobody sent: %d", n)
		}
		if w.visible[n].IsZero() {
			w.visible[n] = now
		}
	}
	for w.low < len(w.visible) && !w.visible[w.low].IsZero() {
		w.low++
	}
	return nil
}
