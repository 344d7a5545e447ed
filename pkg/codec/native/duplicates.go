package native

import (
	"fmt"
	"hash/maphash"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// reportConflicts reports events of a batch that have the id of another one and
// differ from it: only the first would be stored, and the producer would not
// know. The same event twice is a retry, and harmless.
func (p *parser) reportConflicts(events []event.Event) {
	if p.ids < 2 { // ids that are minted differ
		return
	}
	// A table at most half full, of indexes into events plus one. Its hash is
	// seeded afresh, so nobody can choose ids that collide.
	size := 4
	for size < 2*len(events) {
		size *= 2
	}
	seed, slots, mask := maphash.MakeSeed(), make([]uint32, size), uint64(size-1)
	for n := range events {
		slot := maphash.Bytes(seed, events[n].ID[:]) & mask
		for slots[slot] != 0 && events[slots[slot]-1].ID != events[n].ID {
			slot = (slot + 1) & mask
		}
		if slots[slot] == 0 {
			slots[slot] = uint32(n + 1)
			continue
		}
		if first := int(slots[slot] - 1); events[first] != events[n] {
			p.report.Add(event.Element(n), fmt.Sprintf("is the id of event %d as well, which differs: only one of them would be stored", first), event.FieldID)
		}
	}
}
