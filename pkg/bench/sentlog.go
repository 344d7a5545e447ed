package bench

import (
	"iter"
	"net/http"

	"github.com/google/uuid"
)

// pageIDs is how many ids are asked for at once.
const pageIDs = 1024

// class is what an answer says of the events of a request.
type class int

const (
	accepted class = iota // to be stored
	unclear               // may be stored
	rejected              // must not be stored
	unsent                // never left
)

func classOf(status int) class {
	switch {
	case status == http.StatusAccepted:
		return accepted
	case status >= 400 && status < 500:
		return rejected
	default:
		return unclear
	}
}

// ids keeps ids, 16 bytes each, in pages.
type ids struct{ pages [][]uuid.UUID }

func (l *ids) add(more []uuid.UUID) {
	for len(more) > 0 {
		last := len(l.pages) - 1
		if last < 0 || len(l.pages[last]) == pageIDs {
			l.pages = append(l.pages, make([]uuid.UUID, 0, pageIDs))
			last++
		}
		n := min(pageIDs-len(l.pages[last]), len(more))
		l.pages[last] = append(l.pages[last], more[:n]...)
		more = more[n:]
	}
}

// sentLog is what one connection knows of the events it sent.
type sentLog [unsent]ids

// inOrder returns the pages of one class in all logs, the older ones first.
func inOrder(logs []*sentLog, c class) iter.Seq[[]uuid.UUID] {
	return func(yield func([]uuid.UUID) bool) {
		for i, more := 0, true; more; i++ {
			more = false
			for _, l := range logs {
				if pages := l[c].pages; i < len(pages) {
					more = true
					if !yield(pages[i]) {
						return
					}
				}
			}
		}
	}
}

// count returns how many ids of one class there are.
func count(logs []*sentLog, c class) (n int64) {
	for page := range inOrder(logs, c) {
		n += int64(len(page))
	}
	return n
}
