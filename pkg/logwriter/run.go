package logwriter

import (
	"errors"
	"io"
	"syscall"
	"time"
)

const (
	// maxWrite is how much is written in one go. POSIX promises that a write
	// to a pipe of at most PIPE_BUF bytes is not mixed with those of other
	// processes; on Linux that is 4096.
	// https://pubs.opengroup.org/onlinepubs/9699919799/functions/write.html
	maxWrite = 4096

	// retryPause is the pause before a descriptor that cannot take anything
	// now is tried again.
	retryPause = 10 * time.Millisecond
)

// part is a piece of a chunk: a line, or the notice of missing ones.
type part struct {
	end   int    // in the chunk
	lines uint64 // 1 for a line
	tells uint64 // how many missing lines a notice speaks of
}

// chunk is what one write writes.
type chunk struct {
	text  []byte
	parts []part
	size  int // of the queue, to be released
}

func (c *chunk) add(text []byte, lines, tells uint64) {
	c.text = append(c.text, text...)
	c.parts = append(c.parts, part{end: len(c.text), lines: lines, tells: tells})
}

// run writes the queue out until the Writer is closed and the queue empty.
func (w *Writer) run() {
	defer close(w.done)
	var lost uint64 // lines whose write failed and that no notice has told yet
	torn := false   // whether the last line that was written has no end
	for {
		c, ok := w.next(lost, torn)
		if !ok {
			return
		}
		n, err := w.write(c.text)
		if n > 0 {
			torn = c.text[n-1] != '\n'
		}
		lost = 0
		if err != nil {
			lost = w.lose(c, n)
		}
		w.release(c.size)
	}
}

// next waits for something to write and returns it; false when there is
// nothing and never will be.
func (w *Writer) next(lost uint64, torn bool) (chunk, bool) {
	for {
		c, closed := w.dequeue(lost, torn)
		if len(c.parts) > 0 {
			return c, true
		}
		if closed {
			return chunk{}, false
		}
		select {
		case <-w.wake:
		case <-w.abandoned:
			return chunk{}, false
		}
	}
}

// dequeue takes whole lines, as many as fit into one write and at least one.
// Where lines are missing it puts a notice. Lines that are missing at the end
// of the queue are told when the queue is empty, for no other line may follow.
func (w *Writer) dequeue(lost uint64, torn bool) (c chunk, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := 0
	for _, e := range w.queue {
		if taken > 0 && (len(c.text)+len(e.line) > maxWrite || e.missing > 0) {
			break
		}
		w.open(&c, torn && taken == 0, lost+e.missing)
		lost = 0
		c.add(e.line, 1, 0)
		c.size += e.size()
		taken++
	}
	if taken == 0 && w.missing > 0 {
		w.open(&c, torn, lost+w.missing)
		w.missing = 0
	}
	clear(w.queue[:taken])
	w.queue = w.queue[taken:]
	if len(w.queue) == 0 {
		w.queue = nil
	}
	return c, w.closed
}

// open begins a chunk after a line without an end, or after missing lines.
func (w *Writer) open(c *chunk, torn bool, missing uint64) {
	if torn {
		c.add([]byte{'\n'}, 0, 0)
	}
	if missing > 0 {
		c.add(w.notice(missing), 0, missing)
	}
}

// write writes text and returns how much of it was written. A descriptor that
// somebody else has made non-blocking is a slow one, not a broken one.
func (w *Writer) write(text []byte) (int, error) {
	written := 0
	for {
		n, err := w.dst.Write(text[written:])
		written += n
		if err == nil && written < len(text) {
			err = io.ErrShortWrite
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return written, err
		}
		select {
		case <-w.abandoned:
			return written, err
		case <-time.After(retryPause):
		}
	}
}

// lose counts the lines of c that were not written, or not to their end, and
// returns how many a notice has to tell of.
func (w *Writer) lose(c chunk, written int) (untold uint64) {
	for _, p := range c.parts {
		if p.end > written {
			w.dropped.Add(p.lines)
			untold += p.lines + p.tells
		}
	}
	return untold
}

// release frees what a chunk has taken up of the queue's limit.
func (w *Writer) release(size int) {
	w.mu.Lock()
	w.size -= size
	w.mu.Unlock()
}
