package consumer

import "github.com/eventpulse/eventpulse/pkg/event"

const (
	// firstPage is how many entries the first read asks for, when nothing is
	// known of their size.
	firstPage = 8
	// largestPage is the most entries of one read. Redis bounds a read by
	// number only, so a burst of entries larger than any seen lately exceeds
	// the bound in bytes by this many of them, once. With half as many a
	// consumer spends a sixth more processor time on small events.
	largestPage = 256
	// remembered is for how many pages the size of an entry is remembered.
	remembered = 64
	// growAfter is how many full pages of the size that is known to work are
	// read before a larger one is tried.
	growAfter = 4
)

// sizer decides how many entries a read asks for, so that their bytes stay
// within a bound from the first read on. It begins small and doubles with every
// full page, as TCP's slow start does; a read that fails may have failed for
// its size, so the next asks for half, and from there it grows slowly
// (https://www.rfc-editor.org/rfc/rfc5681#section-3.1).
type sizer struct {
	page, ceiling int
	full          int // pages in a row that were read at the ceiling
	// largest is the size of the largest entry of each of the last pages.
	largest [remembered]int
	pages   int
}

func newSizer(batchSize int) sizer {
	return sizer{page: min(firstPage, batchSize), ceiling: largestPage}
}

// limit returns how many entries to ask for, of at most so many and so many
// bytes: 0 when not even one of them is sure to fit.
func (s *sizer) limit(entries, bytes int) int {
	largest := 1
	for _, n := range s.largest[:] {
		largest = max(largest, n)
	}
	return max(0, min(s.page, entries, bytes/largest))
}

// observe learns from a page that asked for limit entries.
func (s *sizer) observe(limit int, got []event.Delivery) {
	if len(got) == 0 {
		return
	}
	largest := 0
	for i := range got {
		largest = max(largest, got[i].Size())
	}
	s.largest[s.pages%remembered] = largest
	s.pages++
	if limit < s.page || len(got) < limit {
		return // says nothing about a page of the full size
	}
	if s.page == s.ceiling {
		s.full++
	}
	if s.full == growAfter {
		s.full = 0
		s.ceiling = min(largestPage, s.ceiling+max(1, s.ceiling/8))
	}
	s.page = min(2*s.page, s.ceiling)
}

// failed learns from a read of limit entries that failed.
func (s *sizer) failed(limit int) {
	s.page = max(1, limit/2)
	s.ceiling, s.full = s.page, 0
}
