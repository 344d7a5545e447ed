package consumer

import "sync"

// inHand is the batches in hand. The zero value is empty.
type inHand struct {
	mu      sync.Mutex
	batches map[*batch]struct{}
}

func (h *inHand) add(b *batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.batches == nil {
		h.batches = map[*batch]struct{}{}
	}
	h.batches[b] = struct{}{}
}

func (h *inHand) remove(b *batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.batches, b)
}

// ids returns the entry ids of all deliveries in hand. It is asked for only
// where entries that were delivered before are read, which is seldom.
func (h *inHand) ids() map[string]struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := map[string]struct{}{}
	for b := range h.batches {
		for i := range b.deliveries {
			ids[b.deliveries[i].EntryID] = struct{}{}
		}
	}
	return ids
}
