package consumertest

import (
	"context"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/eventpulse/eventpulse/pkg/consumer"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// Partition is a partition under test: empty, and with no group yet.
type Partition struct {
	consumer.Source
	// Number is what its deliveries say.
	Number int
	// Publish adds entries with these fields.
	Publish func(entries ...[]string)
}

// TestSource runs the suite, each test on a partition of its own.
func TestSource(t *testing.T, open func(t *testing.T) Partition) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Partition)
	}{
		{"Read_ReturnsWhatIsNewInOrder", readsInOrder},
		{"Read_WaitsForEntries", readWaits},
		{"Read_EndsWithItsContext", readEnds},
		{"Pending_PagesThroughWhatIsNotAcknowledged", pendingPages},
		{"Ack_CountsWhatWasPending", ackCounts},
		{"Claim_ScansToTheEnd", claimScans},
		{"Claim_IncludesTheConsumerItself", claimOwn},
		{"Claim_LeavesWhatIsNotIdle", claimIdle},
		{"DeadLetter_RemovesFromThePendingList", deadLetterMoves},
		{"Trim_KeepsWhatIsNeeded", trimKeeps},
		{"RemoveIdleConsumers_KeepsThoseWithPendingEntries", reapKeeps},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := open(t)
			check(t, p.EnsureGroup(t.Context()))
			check(t, p.EnsureGroup(t.Context()))
			test.run(t, p)
		})
	}
}

const me, peer = "me", "peer"

func readsInOrder(t *testing.T, p Partition) {
	p.Publish(numbered(0, 5)...)
	first := p.read(t, me, 3)
	second := p.read(t, me, 3)
	equal(t, numbers(append(first, second...)), []string{"0", "1", "2", "3", "4"})
	equal(t, len(first), 3)
	equal(t, len(p.read(t, me, 3)), 0)
	ids := map[string]bool{}
	for _, d := range append(first, second...) {
		equal(t, d.Partition, p.Number)
		ids[d.EntryID] = true
	}
	equal(t, len(ids), 5)
}

func readWaits(t *testing.T, p Partition) {
	got := make(chan []event.Delivery, 1)
	go func() {
		deliveries, err := p.Read(t.Context(), me, 10, time.Minute)
		if err != nil {
			t.Error(err)
		}
		got <- deliveries
	}()
	p.Publish(numbered(7, 1)...)
	equal(t, numbers(<-got), []string{"7"})
}

func readEnds(t *testing.T, p Partition) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Read(ctx, me, 10, time.Hour); err == nil {
		t.Error("Read returned no error though its context had ended")
	}
}

func pendingPages(t *testing.T, p Partition) {
	p.Publish(numbered(0, 7)...)
	read := p.read(t, me, 5)
	p.read(t, peer, 5)
	p.ack(t, read[1])
	var all []event.Delivery
	for after := "0"; ; {
		page, err := p.Pending(t.Context(), me, after, 2)
		check(t, err)
		if len(page) == 0 {
			break
		}
		if len(page) > 2 {
			t.Fatalf("a page of %d", len(page))
		}
		all = append(all, page...)
		after = page[len(page)-1].EntryID
	}
	equal(t, numbers(all), []string{"0", "2", "3", "4"})
}

func ackCounts(t *testing.T, p Partition) {
	p.Publish(numbered(0, 3)...)
	read := p.read(t, me, 3)
	equal(t, p.ack(t, read[0], read[1]), 2)
	equal(t, p.ack(t, read...), 1)
	equal(t, p.ack(t, read...), 0)
	equal(t, len(p.pending(t, me)), 0)
}

func claimScans(t *testing.T, p Partition) {
	p.Publish(numbered(0, 9)...)
	p.read(t, peer, 9)
	equal(t, numbers(p.claim(t, 0)), []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"})
	equal(t, len(p.pending(t, peer)), 0)
	equal(t, len(p.pending(t, me)), 9)
}

func claimOwn(t *testing.T, p Partition) {
	p.Publish(numbered(0, 2)...)
	p.read(t, me, 2)
	equal(t, numbers(p.claim(t, 0)), []string{"0", "1"})
}

func claimIdle(t *testing.T, p Partition) {
	p.Publish(numbered(0, 2)...)
	p.read(t, peer, 2)
	equal(t, len(p.claim(t, time.Hour)), 0)
	equal(t, len(p.pending(t, peer)), 2)
}

func deadLetterMoves(t *testing.T, p Partition) {
	p.Publish(numbered(0, 3)...)
	read := p.read(t, me, 3)
	rejected := []event.Rejection{
		{Delivery: read[0], Reason: event.ReasonUnreadable, Message: "test"},
		{Delivery: read[2], Reason: event.ReasonRejected, Code: "22P02", Message: "test"},
	}
	check(t, p.DeadLetter(t.Context(), rejected))
	equal(t, numbers(p.pending(t, me)), []string{"1"})
	check(t, p.DeadLetter(t.Context(), rejected)) // again, and to no effect
	equal(t, p.ack(t, read...), 1)
}

func trimKeeps(t *testing.T, p Partition) {
	p.Publish(numbered(0, 6)...)
	read := p.read(t, me, 4)
	p.ack(t, read[0], read[1], read[3])
	_, err := p.Trim(t.Context())
	check(t, err)
	equal(t, numbers(p.pending(t, me)), []string{"2"})
	equal(t, numbers(p.read(t, me, 10)), []string{"4", "5"})
}

func reapKeeps(t *testing.T, p Partition) {
	p.Publish(numbered(0, 1)...)
	p.read(t, peer, 1)
	equal(t, len(p.read(t, me, 1)), 0)
	if _, err := p.RemoveIdleConsumers(t.Context(), 0, me); err != nil {
		t.Fatal(err)
	}
	equal(t, len(p.pending(t, peer)), 1)
}

func (p Partition) read(t *testing.T, name string, limit int) []event.Delivery {
	t.Helper()
	deliveries, err := p.Read(t.Context(), name, limit, 0)
	check(t, err)
	return deliveries
}

func (p Partition) pending(t *testing.T, name string) []event.Delivery {
	t.Helper()
	deliveries, err := p.Pending(t.Context(), name, "0", 100)
	check(t, err)
	return deliveries
}

func (p Partition) claim(t *testing.T, idle time.Duration) (all []event.Delivery) {
	t.Helper()
	for cursor := "0-0"; ; {
		page, next, err := p.Claim(t.Context(), me, idle, cursor, 2)
		check(t, err)
		all = append(all, page...)
		if next == "0-0" {
			return all
		}
		cursor = next
	}
}

func (p Partition) ack(t *testing.T, deliveries ...event.Delivery) int {
	t.Helper()
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.EntryID
	}
	n, err := p.Ack(t.Context(), ids)
	check(t, err)
	return int(n)
}

// numbered returns the fields of n entries, numbered from first.
func numbered(first, n int) [][]string {
	entries := make([][]string, n)
	for i := range entries {
		entries[i] = []string{"n", strconv.Itoa(first + i)}
	}
	return entries
}

func numbers(deliveries []event.Delivery) []string {
	out := make([]string, len(deliveries))
	for i, d := range deliveries {
		if len(d.Fields) == 2 {
			out[i] = d.Fields[1]
		}
	}
	return out
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
