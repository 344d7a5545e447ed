package main

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/env"
	"github.com/eventpulse/eventpulse/test/bench/measure"
	"github.com/eventpulse/eventpulse/test/process"
)

// What Redis is told about fsync.
const (
	everySecond = "everysec"
	always      = "always"
)

// post posts the same body, of so many events, over and over, once without
// measuring and once with.
func (e *Setup) post(ctx context.Context, r *env.Environment, app *env.App, path, body string, connections, events int) (posted, error) {
	wrk := measure.Wrk{
		URL: "http://" + app.API + path, Body: body, Connections: connections,
		Duration: max(time.Second, e.span()/5), Dir: r.Dir,
	}
	if _, err := wrk.Run(ctx); err != nil {
		return posted{}, err
	}
	wrk.Duration = e.span()
	server, err := r.Meter(app.PID())
	if err != nil {
		return posted{}, err
	}
	var redis env.Meter
	if r.Redis != nil {
		if redis, err = r.Meter(r.Redis.PID()); err != nil {
			return posted{}, err
		}
	}
	var p posted
	if p.WrkResult, err = wrk.Run(ctx); err != nil {
		return p, err
	}
	if err := p.Sound(); err != nil {
		return p, err
	}
	count := p.Requests * events
	if p.cpu, err = costOf(server, count); err != nil {
		return p, err
	}
	if p.redisCPU, err = costOf(redis, count); err != nil {
		return p, err
	}
	memory, err := process.MemoryOf(app.PID())
	p.peak = memory.Peak
	return p, err
}

// costOf returns the microseconds of processor time for each of count events.
func costOf(m env.Meter, count int) (float64, error) {
	used, err := m.Used()
	return float64(used.Microseconds()) / float64(max(1, count)), err
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
