package jsonscan

import "hash/maphash"

// fewNames is how many names an object may have before they are looked up in
// a table. Below it, comparing hashes one after the other is faster.
const fewNames = 24

// firstTable is the slots of an object's first table, a power of two.
const firstTable = 128

// names remembers the names of every object that is open, as a stack: only the
// innermost object takes new names, and they go when it closes.
//
// The hash is seeded afresh for every body, so nobody can choose names that
// collide, and the cost of an object stays in proportion to its length.
type names struct {
	seed  maphash.Seed
	stack []name
	// slots are the hash tables, stacked too, of those open objects that
	// have more than fewNames names. A slot is an index into the object's
	// own part of the stack plus one, zero when it is free.
	slots []uint32
}

// name is a name's hash, escapes resolved, and where its string opens in the
// text. It holds no pointers, to be of no interest to the garbage collector.
type name struct {
	hash uint64
	at   int
}

// newNames returns an empty stack for a text of so many bytes, with a capacity for
// as many names as are usually open at once.
func newNames(bytes int) names {
	return names{seed: maphash.MakeSeed(), stack: make([]name, 0, min(max(bytes/64, 12), 256))}
}

// Scope is an open object's part of the names, made by [Scanner.OpenObject].
type Scope struct {
	// first is where its names start on the stack, table where its slots do.
	first, table int
}

// OpenObject begins an object inside those already open.
func (s *Scanner) OpenObject() Scope {
	return Scope{first: len(s.names.stack), table: len(s.names.slots)}
}

// CloseObject forgets an object's names.
func (s *Scanner) CloseObject(o Scope) {
	s.names.stack = s.names.stack[:o.first]
	s.names.slots = s.names.slots[:o.table]
}

// addName notes a name of the innermost object, whose string opens at i, and
// reports false when the object has it already.
func (s *Scanner) addName(o Scope, i int, text string) bool {
	n := &s.names
	added := name{hash: maphash.String(n.seed, text), at: i}
	own := n.stack[o.first:]
	if len(own) < fewNames {
		for k := range own {
			if own[k].hash == added.hash && s.nameAt(own[k].at) == text {
				return false
			}
		}
		n.stack = append(n.stack, added)
		return true
	}

	// At most half full, so that a free slot is near.
	if 2*(len(own)+1) > len(n.slots)-o.table {
		n.grow(o)
	}
	slots := n.slots[o.table:]
	mask := uint64(len(slots) - 1)
	slot := added.hash & mask
	for ; slots[slot] != 0; slot = (slot + 1) & mask {
		if other := own[slots[slot]-1]; other.hash == added.hash && s.nameAt(other.at) == text {
			return false
		}
	}
	slots[slot] = uint32(len(own) + 1)
	n.stack = append(n.stack, added)
	return true
}

// nameAt returns the name whose string opens at i, which was scanned before.
func (s *Scanner) nameAt(i int) string {
	end, escaped := s.Text(i)
	return s.Content(i, end, escaped)
}

// grow gives the innermost object a table four times the size, or its first.
func (n *names) grow(o Scope) {
	own := n.stack[o.first:]
	size := max(4*(len(n.slots)-o.table), firstTable)
	n.slots = append(n.slots[:o.table], make([]uint32, size)...)
	slots := n.slots[o.table:]
	mask := uint64(size - 1)
	for i := range own {
		slot := own[i].hash & mask
		for slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		slots[slot] = uint32(i + 1)
	}
}
