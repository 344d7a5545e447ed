package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

var errInjected = errors.New("injected")

// failing says how a fake call fails: before it takes effect, or after.
type failing int

const (
	none failing = iota
	before
	after
)

// faults is a script of faults, one a call; past its end nothing fails.
type faults struct {
	mu     sync.Mutex
	script []failing
}

func (f *faults) next() failing {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.script) == 0 {
		return none
	}
	head := f.script[0]
	f.script = f.script[1:]
	return head
}

// fakeStream is one group of one stream, in memory, with one consumer.
type fakeStream struct {
	mu      sync.Mutex
	entries []event.Delivery
	next    int
	pending []event.Delivery
	added   chan struct{}
	acked   map[string]int
	ensured int
	read    faults
	ack     faults
	bury    faults
	buried  map[string]event.Rejection
	trims   int
	// abandoned are pending with a consumer that is gone.
	abandoned []event.Delivery
	maxAsked  int
}

func newFakeStream() *fakeStream {
	return &fakeStream{added: make(chan struct{}, 1), acked: map[string]int{}, buried: map[string]event.Rejection{}}
}

func (s *fakeStream) add(fields ...[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range fields {
		s.entries = append(s.entries, event.Delivery{EntryID: fmt.Sprintf("1700000000000-%06d", len(s.entries)), Fields: f})
	}
	select {
	case s.added <- struct{}{}:
	default:
	}
}

func (s *fakeStream) EnsureGroup(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ensured++
	return nil
}

func (s *fakeStream) take(max int) []event.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxAsked = max
	n := min(max, len(s.entries)-s.next)
	got := s.entries[s.next : s.next+n]
	s.next += n
	s.pending = append(s.pending, got...)
	return got
}

func (s *fakeStream) Read(ctx context.Context, _ string, max int, block time.Duration) ([]event.Delivery, error) {
	switch s.read.next() {
	case before:
		return nil, errInjected
	case after:
		s.take(max) // The reply is lost on the way: delivered, and nobody saw it.
		return nil, errInjected
	}
	if got := s.take(max); len(got) > 0 {
		return got, nil
	}
	t := time.NewTimer(block)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.added:
		return s.take(max), nil
	case <-t.C:
		return nil, nil
	}
}

func (s *fakeStream) Pending(_ context.Context, _, after string, max int) ([]event.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page []event.Delivery
	for _, d := range s.pending {
		if d.EntryID > after && len(page) < max {
			page = append(page, d)
		}
	}
	return page, nil
}

func (s *fakeStream) Ack(_ context.Context, ids []string) (int64, error) {
	f := s.ack.next()
	if f == before {
		return 0, errInjected
	}
	n, err := s.settle(ids)
	if f == after {
		return 0, errInjected
	}
	return n, err
}

// settle takes entries off the pending list.
func (s *fakeStream) settle(ids []string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(0)
	for _, id := range ids {
		for i, d := range s.pending {
			if d.EntryID == id {
				s.pending = append(s.pending[:i:i], s.pending[i+1:]...)
				s.acked[id]++
				n++
				break
			}
		}
	}
	return n, nil
}

func (s *fakeStream) Claim(_ context.Context, _ string, _ time.Duration, cursor string, max int) ([]event.Delivery, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cursor == "0-0" && len(s.abandoned) > 0 {
		return nil, "1-0", nil // A page of nothing is not the end.
	}
	n := min(max, len(s.abandoned))
	page := s.abandoned[:n]
	s.abandoned = s.abandoned[n:]
	s.pending = append(s.pending, page...)
	if len(s.abandoned) == 0 {
		return page, "0-0", nil
	}
	return page, "2-0", nil
}

func (s *fakeStream) DeadLetter(_ context.Context, dead []event.Rejection) error {
	f := s.bury.next()
	if f == before {
		return errInjected
	}
	ids := make([]string, len(dead))
	for i, d := range dead {
		ids[i] = d.EntryID
	}
	s.mu.Lock()
	for _, d := range dead {
		s.buried[d.EntryID] = d
	}
	s.mu.Unlock()
	if _, err := s.settle(ids); err != nil {
		return err
	}
	if f == after {
		return errInjected
	}
	return nil
}

func (s *fakeStream) Trim(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trims++
	return 0, nil
}

func (s *fakeStream) RemoveIdleConsumers(context.Context, time.Duration, string) (int, error) {
	return 0, nil
}

func (s *fakeStream) pendingCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending)
}

// fakeStore keeps rows by id, and refuses those of the source "refuse".
type fakeStore struct {
	mu      sync.Mutex
	rows    map[uuid.UUID]event.Event
	insert  faults
	largest int
	calls   int
	blocked chan struct{} // when set, Insert waits for its closing
}

func newFakeStore() *fakeStore { return &fakeStore{rows: map[uuid.UUID]event.Event{}} }

func (s *fakeStore) Insert(ctx context.Context, events []event.Event) (event.Inserted, error) {
	if s.blocked != nil {
		select {
		case <-s.blocked:
		case <-ctx.Done():
			return event.Inserted{}, event.Unavailable("insert", ctx.Err())
		}
	}
	f := s.insert.next()
	if f == before {
		return event.Inserted{}, event.Unavailable("insert", errInjected)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.largest = max(s.largest, len(events))
	for _, e := range events {
		if e.Source == "refuse" {
			return event.Inserted{}, &event.Error{Kind: event.KindRejected, Code: "22P02", Detail: "refused"}
		}
	}
	var dups []int
	for i, e := range events {
		if _, ok := s.rows[e.ID]; ok {
			dups = append(dups, i)
		}
		s.rows[e.ID] = e
	}
	if f == after {
		return event.Inserted{}, event.Unavailable("insert", errInjected)
	}
	return event.Inserted{Duplicates: dups}, nil
}

func (s *fakeStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// good returns the fields of n valid events, all different.
func good(n int) [][]string {
	out := make([][]string, n)
	for i := range out {
		out[i] = fields("web", `{"n":1}`)
	}
	return out
}

func fields(source, payload string) []string {
	return []string{
		event.FieldID, uuid.NewString(), event.FieldType, "page_view", event.FieldSource, source,
		event.FieldTimestamp, "2026-01-02T03:04:05Z", event.FieldPayload, payload, event.FieldMetadata, "{}",
	}
}

// eventually polls cond until it holds, and fails the test when it never does.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
