package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/harness"
)

// poisonFaults put entries into the stream that nobody can store.
func poisonFaults() []Fault {
	return []Fault{
		{
			Name: "work-poison", What: "entries that are no events, or that PostgreSQL refuses, straight into the stream",
			Inject: every(200*time.Millisecond, poisonOnce),
			Expect: unharmed,
		},
		{
			Name: "work-killed-dead-lettering", What: "poison in the stream; work dies before and after it has made a dead letter",
			Inject: poisonAnd(killAt(workOf, fault.DeadLetterBefore, fault.DeadLetterAfter)),
			Expect: unharmed,
		},
		{
			Name: "work-poison-out-of-memory", What: "poison in the stream, and Redis refuses dead letters for lack of memory",
			Inject: poisonWithoutMemory,
			Expect: unharmed,
		},
		{
			Name: "work-poison-redis-full", What: "poison in the stream, and Redis at maxmemory that nobody heals: stored events go on being acknowledged and trimmed",
			Inject: poisonWithRedisFull,
			Expect: unharmed,
		},
	}
}

// poison is a kind of entry that nobody can store, and what its dead letter
// must say.
type poison struct {
	reason, code string
	fields       func(token string) []string
}

// What dead letters say.
const (
	unreadable = "unreadable" // is no event
	dropped    = "dropped"    // by PostgreSQL, without an error
	rejected   = "rejected"   // by PostgreSQL, with its SQLSTATE as the code
)

// poisons are the kinds of poison. Each carries its token somewhere.
var poisons = []poison{
	{rejected, "22P05", spoilt("payload", `{"a":"\u0000"}`)},
	{rejected, "22P02", spoilt("payload", `{"a":"\ud800"}`)},
	{rejected, "22003", spoilt("payload", `{"a":1e131072}`)},
	{rejected, "22P02", spoilt("payload", `{"a":`)},
	{unreadable, "", spoilt("event_type", "\x00")},
	{unreadable, "", spoilt("event_type", strings.Repeat("é", 300))},
	{unreadable, "", spoilt("timestamp", "yesterday")},
	{unreadable, "", spoilt("event_id", "no-uuid")},
	{unreadable, "", func(token string) []string { return []string{"junk", token} }},
}

// spoilt returns an event's fields with one of them spoilt.
func spoilt(name, value string) func(token string) []string {
	return func(token string) []string {
		fields := []string{
			"event_id", uuid.NewString(), "event_type", "poison", "source", token,
			"timestamp", "2026-01-02T03:04:05Z", "payload", "{}", "metadata", "{}",
		}
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				fields[i+1] = value
			}
		}
		return fields
	}
}

// poisonOnce puts one entry of each kind into the stream.
func poisonOnce(ctx context.Context, r *Run) error {
	var commands [][]string
	var tokens []string
	for kind, p := range poisons {
		token := fmt.Sprintf("%s%d %s%s", tokenBegin, kind, uuid.NewString(), tokenEnd)
		tokens = append(tokens, token)
		commands = append(commands, append([]string{"XADD", harness.StreamKey, "*"}, p.fields(token)...))
	}
	if _, err := harness.Redis(context.WithoutCancel(ctx), r.Env.Redis.Addr(), commands...); err != nil {
		return fmt.Errorf("put poison into the stream: %w", err)
	}
	for kind, token := range tokens {
		r.poisoned(token, poisons[kind])
	}
	return nil
}

// poisonAnd puts poison into the stream while another fault is injected.
func poisonAnd(other injection) injection {
	return func(ctx context.Context, r *Run) error {
		done := make(chan error, 1)
		go func() { done <- every(300*time.Millisecond, poisonOnce)(ctx, r) }()
		err := other(ctx, r)
		return errors.Join(err, <-done)
	}
}

// poisonWithoutMemory lets the worker find poison when there is no memory for
// dead letters: nothing may become of it until there is.
func poisonWithoutMemory(ctx context.Context, r *Run) error {
	work := workOf(r.Env)
	if err := work.Pause(); err != nil {
		return err
	}
	for range 5 {
		if err := poisonOnce(ctx, r); err != nil {
			return err
		}
	}
	if err := redisDo("CONFIG", "SET", "maxmemory", "1")(r.Env); err != nil {
		return err
	}
	if err := work.Resume(); err != nil {
		return err
	}
	<-ctx.Done()
	deadLetters, err := r.Env.DeadLetters(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if len(deadLetters) > 0 {
		r.note("%d dead letters were made before memory ran out", len(deadLetters))
	}
	return redisDo("CONFIG", "SET", "maxmemory", "0")(r.Env)
}

// poisonWithRedisFull lets the worker find poison among events in a Redis that
// is at maxmemory and stays so: what can be stored must go on being stored,
// acknowledged and trimmed all the while.
// XADD is refused then, XACK and XTRIM are not, see
// https://redis.io/docs/latest/operate/oss_and_stack/management/config/ on maxmemory.
func poisonWithRedisFull(ctx context.Context, r *Run) error {
	work := workOf(r.Env)
	if err := work.Pause(); err != nil {
		return err
	}
	for range 5 {
		if err := poisonOnce(ctx, r); err != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond) // events come in between
	}
	before, err := pendingAll(context.WithoutCancel(ctx), r.Env)
	if err != nil {
		return err
	}
	if err := redisDo("CONFIG", "SET", "maxmemory", "1")(r.Env); err != nil {
		return err
	}
	if err := work.Resume(); err != nil {
		return err
	}
	err = r.onlyPoisonIsLeft(ctx)
	r.note("%.0f entries were pending when memory ran out", before)
	<-ctx.Done()
	// Only now, so that the dead letters can be looked at: nothing above needed it.
	return errors.Join(err, redisDo("CONFIG", "SET", "maxmemory", "0")(r.Env))
}

// onlyPoisonIsLeft waits until the stream holds and the group has pending no
// more than the poison, and says what is left when that does not come. A
// worker that waits for memory never gets there.
func (r *Run) onlyPoisonIsLeft(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Options.generous(30*time.Second))
	defer cancel()
	var pending float64
	var unread bool
	for {
		backlog, err := r.Env.Backlog(ctx)
		if err == nil {
			pending, unread = float64(backlog.Pending), backlog.Undelivered
			if !unread && backlog.Pending <= int64(r.poisons()) {
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("with Redis full %.0f entries stay pending, of which %d are poison; more are unread: %v", pending, r.poisons(), unread)
		}
		pause(ctx, 50*time.Millisecond)
	}
}
