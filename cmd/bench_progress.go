package cmd

import (
	"fmt"
	"io"
	"time"

	"github.com/eventpulse/eventpulse/pkg/bench"
)

// plainEvery is how often progress is told where lines cannot be rewritten.
const plainEvery = 5 * time.Second

// benchProgress shows the progress of a run.
type benchProgress struct {
	w        io.Writer
	terminal bool
	next     time.Duration
	last     bench.Progress
}

// newBenchProgress returns one on w: one line that is written over on a
// terminal, else a line every few seconds.
func newBenchProgress(w io.Writer, terminal bool) *benchProgress {
	return &benchProgress{w: w, terminal: terminal}
}

// print shows p. It is called from one goroutine at a time.
func (p *benchProgress) print(now bench.Progress) {
	if !p.terminal && now.Elapsed < p.next && now.Verifying == p.last.Verifying {
		return
	}
	text := fmt.Sprintf("%4.0fs  ", now.Elapsed.Seconds())
	if now.Verifying {
		text += fmt.Sprintf("looking for events in the database: %s of %s", comma(now.Verified), comma(now.Accepted))
	} else {
		rate := 0.0
		if took := now.Elapsed - p.last.Elapsed; took > 0 {
			rate = float64(now.Accepted-p.last.Accepted) / took.Seconds()
		}
		text += fmt.Sprintf("%s events/s  accepted %s  others %s  p99 %s",
			comma(int64(rate)), comma(now.Accepted), comma(now.Rest), shortTime(float64(now.P99.Microseconds())/1000))
	}
	p.last, p.next = now, now.Elapsed+plainEvery
	if p.terminal {
		fmt.Fprintf(p.w, "\r%s\x1b[K", text)
		return
	}
	fmt.Fprintln(p.w, text)
}

// done takes the line that is written over away.
func (p *benchProgress) done() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
