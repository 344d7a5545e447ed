package consumertest

import (
	"maps"
	"slices"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// PendingCount returns how many entries are pending with any consumer.
func (m *Memory) PendingCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pending)
}

// Acked returns how often each entry was acknowledged while it was pending, the
// moves to the dead letters included.
func (m *Memory) Acked() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.acked)
}

// DeadLetters returns what was moved there, by entry id.
func (m *Memory) DeadLetters() map[string]event.Rejection {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.dead)
}

// Trimmed returns how many entries were trimmed.
func (m *Memory) Trimmed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trimmed
}

// Limits returns what each Read asked for.
func (m *Memory) Limits() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.limits)
}

// Deliveries returns how often an entry was delivered.
func (m *Memory) Deliveries(entryID string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deliveries[entryID]
}
