package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/test/chaos/stage"
)

// poisonFaults put entries into the stream that nobody can store.
func poisonFaults() []Fault {
	return []Fault{
		{
			Name: "work-poison", What: "entries that are no events, or that PostgreSQL refuses, straight into the stream",
			Harm:   every(200*time.Millisecond, poisonOnce),
			Expect: unharmed,
		},
		{
			Name: "work-killed-while-burying", What: "poison in the stream; work dies before and after it has made a dead letter",
			Harm:   poisonAnd(killAt(workOf, fault.DeadLetterBefore, fault.DeadLetterAfter)),
			Expect: unharmed,
		},
		{
			Name: "work-poison-out-of-memory", What: "poison in the stream, and Redis refuses dead letters for lack of memory",
			Harm:   poisonWithoutMemory,
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
	refused    = "rejected"   // by PostgreSQL, with its SQLSTATE as the code
)

// poisons are the kinds of poison. Each carries its token somewhere.
var poisons = []poison{
	{refused, "22P05", spoilt("payload", `{"a":"\u0000"}`)},
	{refused, "22P02", spoilt("payload", `{"a":"\ud800"}`)},
	{refused, "22003", spoilt("payload", `{"a":1e131072}`)},
	{refused, "22P02", spoilt("payload", `{"a":`)},
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
		commands = append(commands, append([]string{"XADD", stage.StreamKey, "*"}, p.fields(token)...))
	}
	if _, err := stage.Redis(context.WithoutCancel(ctx), r.Stage.Redis.Addr(), commands...); err != nil {
		return fmt.Errorf("put poison into the stream: %w", err)
	}
	for kind, token := range tokens {
		r.poisoned(token, poisons[kind])
	}
	return nil
}

// poisonAnd puts poison into the stream while the other harm is done.
func poisonAnd(other harm) harm {
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
	work := workOf(r.Stage)
	if err := work.Pause(); err != nil {
		return err
	}
	for range 5 {
		if err := poisonOnce(ctx, r); err != nil {
			return err
		}
	}
	if err := redisDo("CONFIG", "SET", "maxmemory", "1")(r.Stage); err != nil {
		return err
	}
	if err := work.Resume(); err != nil {
		return err
	}
	<-ctx.Done()
	letters, err := r.Stage.DeadLetters(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	if len(letters) > 0 {
		r.note("%d dead letters were made before memory ran out", len(letters))
	}
	return redisDo("CONFIG", "SET", "maxmemory", "0")(r.Stage)
}
