package httpserver

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// lingerTimeout and lingerBytes bound how long and how much a connection is
	// read after its last answer.
	lingerTimeout = 500 * time.Millisecond
	lingerBytes   = 16 << 20
	// rejectionTimeout bounds the writing of an answer outside any request.
	rejectionTimeout = time.Second
)

// conn stands between net/http and one TCP connection for what cannot be done
// above it:
//
//   - It sees each request's head as it was sent. net/http drops
//     Content-Length when there is Transfer-Encoding too, and with it the
//     only trace of a request that two parsers may cut differently.
//   - It answers in the API's own shape where net/http would write plain
//     text (400, 417, 431, 501, 505) or nothing (a head that stalls: 408).
//   - It closes without resetting: what the peer is still sending is read
//     away for a moment, so that the answer already sent is not lost (RFC
//     9112, section 9.6).
//
// It parses no framing (RFC 9112, section 6). It passes on at most one block of bytes ending in a
// blank line per Read, except inside a body of known length; every head and
// every chunked body ends in one, so net/http never holds bytes of the next
// request, and what was passed on since the last blank line is exactly the
// head when a handler starts.
//
// Reads are never concurrent with each other: net/http sees to that.
type conn struct {
	net.Conn
	ln  *listener
	tls *tls.ConnectionState // nil without TLS

	buf  [4096]byte // holds rest
	rest []byte     // received, not yet passed on
	head []byte     // passed on since the last blank line
	// body is what is left of the current request's body of known length.
	body int64
	// chunked is set when the current request's body marks its own end.
	chunked bool
	// last is what the last complete block said about framing.
	last framing

	// ignoreHangup makes reads beside a handler return at once.
	ignoreHangup bool

	// serving is set from the start of a handler until the connection is
	// idle again: what is written meanwhile is the handler's.
	serving atomic.Bool
	// hijacked is set once a handler has taken the connection over.
	hijacked atomic.Bool
	// rejected is set once c has answered by itself; nothing follows that.
	rejected bool
	// linger asks for the careful way of closing.
	linger atomic.Bool
	// used says that c is not among listener.fresh, busy that it is counted
	// in listener.busy, closed that Close was called.
	used         bool
	busy, closed atomic.Bool
}

func (c *conn) setBusy(busy bool) {
	if c.busy.Swap(busy) == busy {
		return
	}
	if busy {
		c.ln.busy.Add(1)
	} else {
		c.ln.busy.Add(-1)
	}
}

// begin tells c that a handler starts on r, before r's body is read, and
// whether it wants to know when the peer hangs up. It reports whether the framing
// of r is beyond doubt (RFC 9112, section 6.1).
func (c *conn) begin(r *http.Request, ignoreHangup bool) bool {
	// In this order: a read beside the handler looks at serving first.
	c.chunked, c.ignoreHangup = c.last.coding, ignoreHangup
	c.serving.Store(true)
	if r.ContentLength > 0 {
		c.body = r.ContentLength
	}
	return !c.last.coding || (!c.last.length && r.ProtoAtLeast(1, 1))
}

// idle tells c that the request begun is answered and over.
func (c *conn) idle() {
	c.serving.Store(false)
	c.setBusy(len(c.head)+len(c.rest) > 0)
}

// hijack leaves the connection to a handler, from where net/http has read to.
func (c *conn) hijack() {
	c.hijacked.Store(true)
	c.ln.hijack(c)
}

// Read implements [net.Conn].
//
// While a handler runs and its request's body has been read, only net/http
// itself reads, to learn whether the peer hangs up meanwhile. A route that does
// not care gets nothing at once, (0, nil), and net/http does not wait. That spares each request a goroutine in the poller
// and two deadlines: BenchmarkLoopback has what it costs.
func (c *conn) Read(p []byte) (int, error) {
	if c.hijacked.Load() {
		return c.readHijacked(p)
	}
	if c.serving.Load() && c.ignoreHangup && c.body == 0 && !c.chunked {
		return 0, nil
	}
	if len(c.rest) == 0 {
		if c.body > 0 {
			n, err := c.Conn.Read(p[:min(int64(len(p)), c.body)])
			c.body -= int64(n)
			return n, err
		}
		n, err := c.Conn.Read(c.buf[:])
		if n == 0 {
			c.stalled(err)
			return 0, err
		}
		c.rest = c.buf[:n]
		c.setBusy(true)
		if !c.used {
			c.used = true
			c.ln.established(c)
		}
	}
	n := c.next(min(len(p), len(c.rest)))
	copy(p, c.rest[:n])
	c.rest = c.rest[n:]
	return n, nil
}

// readHijacked passes on what was received before, and then what arrives.
func (c *conn) readHijacked(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// next returns how many bytes of rest, at most limit, are passed on together.
func (c *conn) next(limit int) int {
	if c.body > 0 {
		n := min(int64(limit), c.body)
		c.body -= n
		return int(n)
	}
	block, old := c.rest[:limit], len(c.head)
	if old > 0 {
		c.head = append(c.head, block...)
		block = c.head
	}
	end := blankLine(block, old)
	if end == 0 {
		if old == 0 {
			c.head = append(c.head, block...)
		}
		if len(c.head) > c.ln.maxHead {
			// A chunked body. Its last two bytes are enough to see a
			// blank line that goes on.
			c.head = append(c.head[:0], c.head[len(c.head)-2:]...)
		}
		return limit
	}
	c.last = framingOf(block[:end])
	if c.head = c.head[:0]; cap(c.head) > len(c.buf) {
		c.head = nil
	}
	return end - old
}

// stalled answers a peer that sent part of a head and then nothing.
func (c *conn) stalled(err error) {
	if len(c.head) > 0 && !c.serving.Load() && c.ln.rejection != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.reject(http.StatusRequestTimeout, "the request's headers did not arrive in time")
	}
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	if c.serving.Load() || c.hijacked.Load() || c.ln.rejection == nil {
		return c.Conn.Write(p)
	}
	if c.rejected {
		return len(p), nil
	}
	status, detail, ok := plainAnswer(string(p))
	if !ok {
		return c.Conn.Write(p)
	}
	if err := c.reject(status, detail); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *conn) reject(status int, detail string) error {
	c.rejected = true
	c.linger.Store(true)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(rejectionTimeout))
	_, err := c.Conn.Write(c.ln.rejection(status, detail))
	return err
}

// plainAnswer parses an answer that net/http wrote by itself.
func plainAnswer(answer string) (status int, detail string, ok bool) {
	after, ok := strings.CutPrefix(answer, "HTTP/1.")
	if !ok || len(after) < 5 {
		return 0, "", false
	}
	status, err := strconv.Atoi(after[2:5])
	if err != nil || status < 400 {
		return 0, "", false
	}
	// Its reason, where it gives one, follows the status text in the body.
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	_, detail, _ = strings.Cut(body, ": ")
	return status, detail, true
}

// CloseWrite ends the sending half and then discards what the peer still
// sends, within bounds. net/http calls it where it knows that more is
// coming.
func (c *conn) CloseWrite() error {
	c.linger.Store(false)
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || c.ln.forceClose.Load() {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.ln.lingerTimeout())); err != nil {
		return err
	}
	// Any error means there is nothing more to wait for.
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	return nil
}

// Close implements [net.Conn]. A kernel that closes with bytes unread sends a
// reset, and a reset can overtake the answer.
func (c *conn) Close() error {
	if c.linger.Load() {
		_ = c.CloseWrite()
	}
	if !c.closed.Swap(true) {
		c.setBusy(false)
		c.ln.forget(c)
	}
	return c.Conn.Close()
}
