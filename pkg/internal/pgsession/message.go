package pgsession

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
)

// The types of messages, by direction:
// https://www.postgresql.org/docs/current/protocol-message-formats.html .
const (
	msgQuery    = 'Q'
	msgParse    = 'P'
	msgBind     = 'B'
	msgExecute  = 'E'
	msgSync     = 'S'
	msgCopyData = 'd'
	msgCopyDone = 'c'

	msgParseComplete   = '1'
	msgBindComplete    = '2'
	msgRowDescription  = 'T'
	msgDataRow         = 'D'
	msgCommandComplete = 'C'
	msgCopyIn          = 'G'
	msgReady           = 'Z'
	msgError           = 'E'
	msgNotice          = 'N'
	msgParameter       = 'S'
	msgNotification    = 'A'
)

const (
	// maxBody is how much of a message's body is kept: more than any error
	// that is worth reading.
	maxBody = 8 << 10
	// flushSize is up to how much is rendered before any of it is sent. A batch
	// that fits goes out at once: the server is not left waiting in the middle
	// of a transaction by a process that is stopped or cut off.
	flushSize = 1 << 20
)

// messageWriter renders messages and sends them in large writes.
type messageWriter struct {
	socket net.Conn
	buf    []byte
	start  int // of the length of the message that is open
}

// begin opens a message, whose length [messageWriter.end] fills in.
func (w *messageWriter) begin(kind byte) {
	w.buf = append(w.buf, kind, 0, 0, 0, 0)
	w.start = len(w.buf) - lengthSize
}

func (w *messageWriter) end() {
	binary.BigEndian.PutUint32(w.buf[w.start:], uint32(len(w.buf)-w.start))
}

// beginSized opens a message with a body of so many bytes, which may be flushed
// before it is complete and needs no end.
func (w *messageWriter) beginSized(kind byte, body int) {
	w.buf = appendInt32(append(w.buf, kind), lengthSize+body)
}

// string appends a text that ends with a zero byte, as protocol strings do.
func (w *messageWriter) string(s string) { w.buf = append(append(w.buf, s...), 0) }

func (w *messageWriter) int16(n uint16) { w.buf = binary.BigEndian.AppendUint16(w.buf, n) }

func (w *messageWriter) int32(n int) { w.buf = appendInt32(w.buf, n) }

// full reports whether so many bytes more would be too many to hold back.
func (w *messageWriter) full(more int) bool { return len(w.buf)+more > flushSize }

func (w *messageWriter) flush() error {
	_, err := w.socket.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// messageReader reads what the server sends.
type messageReader struct {
	r    *bufio.Reader
	body []byte
}

func newMessageReader(r io.Reader) *messageReader { return &messageReader{r: bufio.NewReader(r)} }

// untilReady reads until the server is ready for the next statement. It reports
// whether it is, and returns the first error that the server sent. What belongs
// to the statement goes to handle, whose error ends the reading.
func (m *messageReader) untilReady(handle func(kind byte, body []byte) error) (ready bool, err error) {
	var serverErr error
	for {
		kind, body, err := m.next()
		if err != nil {
			// What the server said before it hung up says more.
			return false, cmp.Or(serverErr, err)
		}
		switch kind {
		case msgError:
			if serverErr == nil {
				serverErr = parseError(body)
			}
		case msgReady:
			if string(body) != "I" { // idle; the others are inside a transaction
				return false, fmt.Errorf("transaction status %q after a statement", body)
			}
			return true, serverErr
		case msgNotice, msgParameter, msgNotification:
		default:
			if err := handle(kind, body); err != nil {
				return false, err
			}
		}
	}
}

// next reads one message and returns its type and the first [maxBody] bytes of
// its body, which the next call overwrites.
func (m *messageReader) next() (kind byte, body []byte, err error) {
	var header [1 + lengthSize]byte
	if _, err := io.ReadFull(m.r, header[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(header[1:])
	if length < lengthSize || length > math.MaxInt32 {
		return 0, nil, fmt.Errorf("message %q of %d bytes", header[0], length)
	}
	rest := int(length) - lengthSize
	kept := min(rest, maxBody)
	m.body = slices.Grow(m.body[:0], kept)[:kept]
	if _, err := io.ReadFull(m.r, m.body); err != nil {
		return 0, nil, err
	}
	_, err = m.r.Discard(rest - kept)
	return header[0], m.body, err
}
