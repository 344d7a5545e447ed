package stream

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/retry"
)

const (
	// moveChunk is the most entries moved by one transaction.
	moveChunk = 100
	// moveAttempts is how often a transaction is tried that others, moving
	// to the same dead letters, got in the way of.
	moveAttempts = 20
)

// DeadLetter moves deliveries to the dead letters: afterwards each is there and
// no longer pending, or pending as before. One that is not pending any more is
// left alone, so that doing it again after an error, when some may have been
// moved, makes no copies. One that cannot be moved keeps none of the others
// from it; the error is the first there was.
//
// It takes no script, only WATCH, MULTI and EXEC. Step by step:
//
//  1. The key of the dead letters is watched, and found to be a stream or
//     nothing. XPENDING tells how often each entry was delivered, and which
//     are not pending any more.
//  2. One transaction adds each letter (XADD) and acknowledges its entry
//     (XACK). Redis does both or, rejecting one as it is queued, neither. An
//     XADD that fails later than that would be acknowledged all the same: it
//     takes a key of another type, and that is ruled out by step 1.
//  3. An XACK that finds nothing pending says that somebody else has dealt
//     with the entry since step 1, and its letter is removed again (XDEL). If
//     this process ends first, two letters of one entry are left.
//
// A reply that is lost on the way leaves the caller not knowing; doing it again
// finds what was moved no longer pending.
func (g *Group) DeadLetter(ctx context.Context, rejections []event.Rejection) error {
	var first error
	for chunk := range slices.Chunk(rejections, moveChunk) {
		err := g.moveAll(ctx, chunk)
		if len(chunk) > 1 && isAboutOne(err) {
			err = g.moveEach(ctx, chunk)
		}
		if err == nil {
			continue
		}
		if first == nil {
			first = g.failed(opDeadLetter, err)
		}
		if !isAboutOne(err) {
			break // the others fare no better
		}
	}
	return first
}

// isAboutOne reports whether Redis may have rejected one entry for what it is,
// and not all of them for the state that Redis is in.
func isAboutOne(err error) bool {
	_, said := errors.AsType[*rueidis.RedisError](err)
	return said && classify(err).reason == reasonOther
}

// moveEach moves deliveries in a transaction each, and returns the first error.
func (g *Group) moveEach(ctx context.Context, rejections []event.Rejection) (first error) {
	for i := range rejections {
		if err := g.moveAll(ctx, rejections[i:i+1]); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// moveAll moves deliveries in one transaction, trying again while others change
// the dead letters at the same time.
func (g *Group) moveAll(ctx context.Context, rejections []event.Rejection) (err error) {
	pauses := retry.Between(time.Millisecond, 50*time.Millisecond)
	for range moveAttempts {
		err = g.p.conn.transact(ctx, func(ctx context.Context, tx rueidis.DedicatedClient) error {
			return g.move(ctx, tx, rejections)
		})
		if !errors.Is(err, errConflict) {
			return err
		}
		if err := retry.Sleep(ctx, pauses.Next()); err != nil {
			return err
		}
	}
	return err
}

func (g *Group) move(ctx context.Context, tx rueidis.DedicatedClient, rejections []event.Rejection) error {
	pending, deliveries, err := g.prepareMove(ctx, tx, rejections)
	if err != nil {
		return err // the library gives up what is watched with the connection
	}
	if len(pending) == 0 {
		return tx.Do(ctx, tx.B().Unwatch().Build()).Error()
	}
	results, err := execute(ctx, tx, g.moveCommands(tx, pending, deliveries)...)
	if err != nil {
		return err
	}
	return g.settleMove(ctx, tx, results)
}

// moveCommands returns an XADD and an XACK for each rejection.
func (g *Group) moveCommands(tx rueidis.DedicatedClient, pending []event.Rejection, deliveries []int64) []rueidis.Completed {
	now := time.Now()
	cmds := make([]rueidis.Completed, 0, 2*len(pending))
	for i, r := range pending {
		r.Group = g.name
		cmds = append(cmds,
			tx.B().Arbitrary("XADD").Keys(g.p.dlqKey).Args("*").Args(appendDeadLetter(nil, r, deliveries[i], now)...).Build(),
			tx.B().Xack().Key(g.p.key).Group(g.name).Id(r.EntryID).Build())
	}
	return cmds
}

// prepareMove watches the dead letters and returns those of rejections that are
// pending, and how often each was delivered.
func (g *Group) prepareMove(ctx context.Context, tx rueidis.DedicatedClient, rejections []event.Rejection) (pending []event.Rejection, deliveries []int64, err error) {
	cmds := []rueidis.Completed{
		tx.B().Watch().Key(g.p.dlqKey).Build(),
		tx.B().Type().Key(g.p.dlqKey).Build(),
	}
	for _, r := range rejections {
		cmds = append(cmds, tx.B().Xpending().Key(g.p.key).Group(g.name).Start(r.EntryID).End(r.EntryID).Count(1).Build())
	}
	replies := tx.DoMulti(ctx, cmds...)
	if err := replies[0].Error(); err != nil {
		return nil, nil, err
	}
	kind, err := replies[1].ToString()
	if err != nil {
		return nil, nil, err
	}
	if kind != typeStream && kind != typeNone {
		return nil, nil, errWrongType
	}
	for i, r := range rejections {
		reply, err := replies[2+i].ToMessage()
		if err != nil {
			return nil, nil, err
		}
		found, err := parsePending(reply)
		if err != nil {
			return nil, nil, err
		}
		if len(found) > 0 {
			pending = append(pending, r)
			deliveries = append(deliveries, found[0].deliveries)
		}
	}
	return pending, deliveries, nil
}

// settleMove counts what was moved, and removes the letters of what somebody
// else had dealt with.
func (g *Group) settleMove(ctx context.Context, tx rueidis.DedicatedClient, results []rueidis.RedisMessage) error {
	var copies []string
	for i := 0; i+1 < len(results); i += 2 {
		id, err := results[i].ToString()
		if err != nil {
			return err
		}
		acked, err := results[i+1].AsInt64()
		if err != nil {
			return err
		}
		if acked == 0 {
			copies = append(copies, id)
		}
	}
	g.metrics.deadLettered.Add(float64(len(results)/2 - len(copies)))
	if len(copies) == 0 {
		return nil
	}
	return tx.Do(ctx, tx.B().Xdel().Key(g.p.dlqKey).Id(copies...).Build()).Error()
}

// appendDeadLetter appends the fields of a dead letter: the original ones and
// what is said about them.
func appendDeadLetter(dst []string, r event.Rejection, deliveries int64, now time.Time) []string {
	firstSeen := ""
	if at, ok := entryTime(r.EntryID); ok {
		firstSeen = at.Format(time.RFC3339Nano)
	}
	message := r.Message
	if r.Quote != "" {
		message += ": " + r.Quote
	}
	return append(append(dst, r.Fields...),
		fieldReason, r.Reason,
		fieldCode, r.Code,
		fieldMessage, shortened(message, maxMessage),
		fieldFirstSeen, firstSeen,
		fieldEntryID, r.EntryID,
		fieldDeadLetteredAt, now.UTC().Format(time.RFC3339Nano),
		fieldDeliveries, strconv.FormatInt(deliveries, 10),
		fieldGroup, r.Group,
	)
}
