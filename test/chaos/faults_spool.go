package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/chaos/load"
)

// spoolFaults are what happens to serve, and to its disk, while it has to do
// without Redis.
func spoolFaults() []Fault {
	return []Fault{
		{
			Name: "serve-killed-before-spooling", What: "Redis away; serve dies before it writes to the spool",
			Inject: while(redisAway, redisBack, killAt(serveOf, fault.SpoolBefore)),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-while-spooling", What: "Redis away; kill -9 of serve at any moment of its writing, about every 1.5 s",
			Inject: while(redisAway, redisBack, every(1500*time.Millisecond, act(killServe))),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-after-spooling", What: "Redis away; serve dies when the events are on disk and the producer has no answer",
			Inject: while(redisAway, redisBack, killAt(serveOf, fault.SpoolAfter)),
			Expect: Expect{Share: most},
		},
		{
			Name: "serve-killed-while-draining", What: "Redis comes and goes; serve dies when part of the spool is on the stream and it does not know yet",
			Inject: drainAndDie,
			Expect: Expect{Share: most},
		},
		{
			Name: "redis-away-serve-killed", What: "Redis away all the time; kill -9 of serve, about every 10 s; ready whenever it is up",
			Inject: while(redisAway, redisBack, every(10*time.Second, act(killServe))),
			Expect: Expect{Share: most, Ready: true},
			Outage: &Outage{},
		},
		{
			Name: "spool-disk-full", What: "Redis away; the 24 MB disk under the spool fills, and later has space again",
			Env:    func(c *env.Config) { c.SpoolDisk = 24 << 20 },
			Load:   padded(paddingThatFills),
			Inject: fillSpoolDisk,
			Expect: Expect{Share: few, Busy: true},
		},
		{
			Name: "spool-fsync-fails", What: "Redis away; fsync of the spool fails: nothing more is acknowledged until serve is started anew",
			Inject: failFsync,
			Expect: Expect{Share: none, Busy: true},
		},
		{
			Name: "spool-bit-flipped", What: "Redis away; serve is killed, a bit of an event in the spool is flipped, serve is started",
			Inject: flipBit,
			Expect: Expect{Share: some},
		},
		{
			Name: "spool-shared", What: "Redis away; a second serve is started on the same spool: it must not come up, and the first go on",
			Inject: while(redisAway, redisBack, secondServe),
			Expect: Expect{Share: nearlyAll, Ready: true},
		},
	}
}

func padded(bytes int) func(*load.Config, *load.Maker) {
	return func(_ *load.Config, m *load.Maker) { m.Padding = bytes }
}

// drainAndDie lets the spool fill for a moment, then drain until serve dies of
// it.
func drainAndDie(ctx context.Context, r *Run) error {
	died := 0
	for ctx.Err() == nil {
		if err := redisAway(r.Env); err != nil {
			return err
		}
		pause(ctx, time.Second)
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		done := make(chan error, 1)
		go func() { done <- r.Env.KillAt(attempt, r.Env.Serve, fault.SpoolDrain) }()
		if err := redisBack(r.Env); err != nil {
			cancel()
			return err
		}
		err := <-done
		cancel()
		switch {
		case err == nil:
			died++
		case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled):
			return err
		}
	}
	if died == 0 {
		return fmt.Errorf("nobody came by %s", fault.SpoolDrain)
	}
	r.note("died %d× at %s", died, fault.SpoolDrain)
	return redisBack(r.Env)
}

// paddingThatFills makes events large enough to fill the disk quickly.
const paddingThatFills = 16_000

// fillSpoolDisk leaves room for little, waits until that is used up and gives
// the room back for the last third.
func fillSpoolDisk(ctx context.Context, r *Run) error {
	deadline, _ := ctx.Deadline()
	toFill := time.Until(deadline) * 2 / 3
	full, cancel := context.WithTimeout(ctx, toFill)
	defer cancel()
	if err := redisAway(r.Env); err != nil {
		return err
	}
	// A third of what is to come, and half of the disk at most.
	leave := min(r.Options.Rate*paddingThatFills*toFill.Seconds()/3, 12<<20)
	if err := r.Env.SpoolDisk.Fill(int64(leave)); err != nil {
		return err
	}
	<-full.Done()
	free, err := r.Env.SpoolDisk.Free()
	if err != nil {
		return err
	}
	r.note("%d KB were free when it was full", free>>10)
	if err := r.Env.SpoolDisk.Empty(); err != nil {
		return err
	}
	emptied := r.Load.Now()
	<-ctx.Done()
	after := load.Summarize(r.Load.Shots(), load.Span{From: emptied + time.Second, To: r.Load.Now()})
	if after.Valid[load.Accepted] == 0 && after.SentValid() > 0 {
		r.fail("nothing was accepted when the disk had space again and Redis was still away")
	}
	return redisBack(r.Env)
}

// failFsync makes every fsync of the spool fail. What it had accepted before
// must not be lost by that, and nothing may be accepted on top.
func failFsync(ctx context.Context, r *Run) error {
	if err := redisAway(r.Env); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	pause(ctx, time.Until(deadline)/4)
	heal, err := r.Env.FailAt(r.Env.Serve, fault.SpoolSync)
	if err != nil {
		return err
	}
	failing := r.Load.Now()
	pause(ctx, time.Until(deadline)/3)
	// The disk is well again: a spool that carries on now acknowledges what
	// the failed fsync may have dropped.
	if err := heal(); err != nil {
		return err
	}
	<-ctx.Done()
	poisoned := load.Summarize(r.Load.Shots(), load.Span{From: failing + 500*time.Millisecond, To: r.Load.Now()})
	if n := poisoned.Valid[load.Accepted]; n > 0 {
		r.fail("%d events were accepted into a spool whose fsync had failed", n)
	}
	if err := redisBack(r.Env); err != nil {
		return err
	}
	return terminate(serveOf)(ctx, r)
}

// flipBit damages one event in the spool while serve is down.
func flipBit(ctx context.Context, r *Run) error {
	if err := redisAway(r.Env); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	pause(ctx, time.Until(deadline)/2)
	r.Env.Serve.Remove()
	number, places, err := damageSpool(r.Env.SpoolDir)
	if err = errors.Join(err, r.Env.Serve.Start()); err != nil {
		return errors.Join(err, redisBack(r.Env))
	}
	// A record may hold all events of a request.
	r.damage(load.DefaultConfig().MaxBatch)
	r.note("event %d was damaged at %d places", number, places)
	<-ctx.Done()
	return redisBack(r.Env)
}

// damageSpool flips a bit of every copy of one event in the files of a spool.
func damageSpool(dir string) (number uint32, places int, err error) {
	var marker []byte
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if marker == nil {
			marker, number = findMarker(b)
		}
		flipped := 0
		for at := 0; marker != nil; {
			next := bytes.Index(b[at:], marker)
			if next < 0 {
				break
			}
			at += next + len(marker)
			b[at] ^= 0x04 // in what follows the number
			flipped++
		}
		if flipped == 0 {
			return nil
		}
		places += flipped
		return os.WriteFile(path, b, 0o600)
	})
	if err == nil && places == 0 {
		err = fmt.Errorf("no event can be made out in the files under %s", dir)
	}
	return number, places, err
}

// findMarker finds the beginning of the source of an event in what may be
// anything: the middle one of all there are.
func findMarker(b []byte) ([]byte, uint32) {
	found := regexp.MustCompile(`c:([0-9]{1,9}):`).FindAllSubmatch(b, -1)
	if len(found) == 0 {
		return nil, 0
	}
	marker := found[len(found)/2]
	n, _ := strconv.ParseUint(string(marker[1]), 10, 32)
	return slices.Clone(marker[0]), uint32(n)
}

// secondServe expects a serve on a spool that is in use to give up, or at
// least never to be ready.
func secondServe(ctx context.Context, r *Run) error {
	second, admin, err := r.Env.SecondServe()
	if err != nil {
		return err
	}
	if err := second.Start(); err != nil {
		return err
	}
	defer second.Remove()
	for ctx.Err() == nil {
		if env.Probe(ctx, admin+"/readyz") {
			return errors.New("a second serve came up on a spool that is in use")
		}
		pause(ctx, 50*time.Millisecond)
	}
	r.note("the second serve gave up %d times", len(second.Exits()))
	return nil
}
