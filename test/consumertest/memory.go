package consumertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Memory is one partition of a stream with one consumer group, in memory. Its
// entry ids are the same in every partition. Methods may be called
// concurrently.
type Memory struct {
	faults
	partition int

	mu         sync.Mutex
	entries    []event.Delivery
	next       int // of entries, to be delivered
	trimmed    int
	pending    []pending
	acked      map[string]int
	dead       map[string]event.Rejection
	consumers  map[string]struct{}
	changed    chan struct{} // closed and made anew when an entry is added
	limits     []int
	deliveries map[string]int
}

// pending is an entry of the group's pending list.
type pending struct {
	event.Delivery
	consumer string
	since    time.Time
}

// NewMemory returns an empty partition of that number.
func NewMemory(partition int) *Memory {
	return &Memory{
		partition: partition, acked: map[string]int{}, dead: map[string]event.Rejection{},
		consumers: map[string]struct{}{}, changed: make(chan struct{}), deliveries: map[string]int{},
	}
}

// Publish adds entries with these fields.
func (m *Memory) Publish(entries ...[]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, fields := range entries {
		m.entries = append(m.entries, event.Delivery{
			Group: "test", Partition: m.partition, EntryID: fmt.Sprintf("1700000000000-%06d", len(m.entries)), Fields: fields,
		})
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

// EnsureGroup implements consumer.Source.
func (m *Memory) EnsureGroup(context.Context) error {
	return m.call(EnsureGroup, func() {})
}

// Read implements consumer.Source.
func (m *Memory) Read(ctx context.Context, consumer string, limit int, block time.Duration) (got []event.Delivery, err error) {
	timeout := time.NewTimer(block)
	defer timeout.Stop()
	for {
		var changed <-chan struct{}
		err = m.call(Read, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			changed = m.changed
			m.limits = append(m.limits, limit)
			got = m.deliver(consumer, limit)
		})
		if err != nil {
			return nil, err
		}
		if len(got) > 0 || block <= 0 {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timeout.C:
			return nil, nil
		case <-changed:
		}
	}
}

func (m *Memory) deliver(consumer string, limit int) []event.Delivery {
	m.consumers[consumer] = struct{}{}
	n := min(max(limit, 1), len(m.entries)-m.next)
	got := slices.Clone(m.entries[m.next : m.next+n])
	m.next += n
	for _, d := range got {
		m.pending = append(m.pending, pending{d, consumer, time.Now()})
		m.deliveries[d.EntryID]++
	}
	return got
}

// Pending implements consumer.Source.
func (m *Memory) Pending(_ context.Context, consumer, after string, limit int) (page []event.Delivery, err error) {
	err = m.call(Pending, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for i := range m.pending {
			p := &m.pending[i]
			if p.consumer == consumer && p.EntryID > after && len(page) < max(limit, 1) {
				p.since = time.Now()
				page = append(page, p.Delivery)
				m.deliveries[p.EntryID]++
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// Claim implements consumer.Source. A scan begins with an empty page, as one of
// a large pending list may.
func (m *Memory) Claim(_ context.Context, consumer string, minIdle time.Duration, cursor string, limit int) (page []event.Delivery, next string, err error) {
	next = "0-0"
	err = m.call(Claim, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if cursor == "0-0" && len(m.pending) > 0 {
			next = "0-1"
			return
		}
		for i := range m.pending {
			p := &m.pending[i]
			if p.EntryID <= cursor || time.Since(p.since) < minIdle {
				continue
			}
			if len(page) == max(limit, 1) {
				next = page[len(page)-1].EntryID
				return
			}
			p.consumer, p.since = consumer, time.Now()
			page = append(page, p.Delivery)
			m.deliveries[p.EntryID]++
		}
	})
	if err != nil {
		return nil, cursor, err
	}
	return page, next, nil
}

// Ack implements consumer.Source.
func (m *Memory) Ack(_ context.Context, entryIDs []string) (n int64, err error) {
	err = m.call(Ack, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		n = m.settle(entryIDs)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// settle removes entries from the pending list.
func (m *Memory) settle(entryIDs []string) int64 {
	before := len(m.pending)
	settled := make(map[string]bool, len(entryIDs))
	for _, id := range entryIDs {
		settled[id] = true
	}
	m.pending = slices.DeleteFunc(m.pending, func(p pending) bool {
		if settled[p.EntryID] {
			m.acked[p.EntryID]++
		}
		return settled[p.EntryID]
	})
	return int64(before - len(m.pending))
}

// DeadLetter implements consumer.Source.
func (m *Memory) DeadLetter(_ context.Context, rejected []event.Rejection) error {
	return m.call(DeadLetter, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, r := range rejected {
			if m.settle([]string{r.EntryID}) > 0 {
				m.dead[r.EntryID] = r
			}
		}
	})
}

// Trim implements consumer.Source.
func (m *Memory) Trim(context.Context) (n int64, err error) {
	err = m.call(Trim, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		done := m.next
		for _, p := range m.pending {
			done = min(done, slices.IndexFunc(m.entries, func(d event.Delivery) bool { return d.EntryID == p.EntryID }))
		}
		n, m.trimmed = int64(done-m.trimmed), done
	})
	return n, err
}

// RemoveIdleConsumers implements consumer.Source. Every consumer counts as idle.
func (m *Memory) RemoveIdleConsumers(_ context.Context, _ time.Duration, except string) (removed int, err error) {
	err = m.call(RemoveIdleConsumers, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for name := range m.consumers {
			if name != except && !slices.ContainsFunc(m.pending, func(p pending) bool { return p.consumer == name }) {
				delete(m.consumers, name)
				removed++
			}
		}
	})
	return removed, err
}
