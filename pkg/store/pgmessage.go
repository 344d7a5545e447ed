package store

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// The driver neither heeds its context in COPY nor sends a value in binary.
// So the two statements that matter most, COPY and the look-up before it, are
// spoken here, in messages of PostgreSQL's own.

const (
	// longestMessage is how much of a message is kept.
	longestMessage = 8 << 10
	// lastWords is how long the server is listened to after it stopped
	// listening.
	lastWords = time.Second
)

// The types of messages that belong to any answer.
const (
	msgCommandComplete = 'C'
	msgReady           = 'Z'
	msgError           = 'E'
	msgNotice          = 'N'
	msgParameter       = 'S'
	msgNotification    = 'A'
)

// speak lends the session of a connection, as long as ctx lives.
func speak(ctx context.Context, conn bun.Conn, talk func(*pgConn) error) error {
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*pgConn)
		if !ok {
			return fmt.Errorf("unexpected connection type %T", driverConn)
		}
		done := c.watch(ctx)
		return done(talk(c))
	})
}

// exchange sends and reads at the same time: the server may answer, and at
// length, before it has read everything. Unless read says that the server is
// ready for the next statement, the connection is closed.
func (c *pgConn) exchange(send func(net.Conn) error, read func(*answers) (ready bool, err error)) error {
	socket := c.Conn.Conn()
	var deadline time.Time
	if c.patience > 0 {
		deadline = time.Now().Add(c.patience)
	}
	if err := socket.SetDeadline(deadline); err != nil {
		_ = c.Close()
		return err
	}
	sent := make(chan error, 1)
	go func() {
		err := send(socket)
		if err != nil {
			// What the server said before it hung up can still be read.
			_ = socket.SetReadDeadline(time.Now().Add(lastWords))
		}
		sent <- err
	}()
	if c.answers == nil {
		c.answers = newAnswers(socket)
	}
	ready, err := read(c.answers)
	if !ready || c.answers.r.Buffered() > 0 {
		// What is left over belongs to nobody: the driver would not see it.
		_ = c.Close()
	}
	if sendErr := <-sent; sendErr != nil {
		_ = c.Close()
		err = cmp.Or(err, sendErr)
	}
	return err
}

// keep keeps the space of what has been sent for the next time, unless that is
// more than usual.
func (c *pgConn) keep(buf []byte) {
	if cap(buf) <= 2*copyPiece {
		c.piece = buf
	}
}

func beginMessage(buf []byte, kind byte) ([]byte, int) {
	return append(buf, kind, 0, 0, 0, 0), len(buf) + 1
}

func endMessage(buf []byte, start int) {
	binary.BigEndian.PutUint32(buf[start:], uint32(len(buf)-start))
}

// answers reads what the server sends.
type answers struct {
	r    *bufio.Reader
	body []byte
}

func newAnswers(r io.Reader) *answers { return &answers{r: bufio.NewReader(r)} }

// untilReady reads until the server is ready for the next statement, and
// returns whether it is, and its refusal if it had one. What belongs to the
// statement it hands to take, whose error ends the reading.
func (a *answers) untilReady(take func(kind byte, body []byte) error) (ready bool, err error) {
	var refusal error
	for {
		kind, body, err := a.next()
		if err != nil {
			// The server's own word, where it had one before it hung up.
			return false, cmp.Or(refusal, err)
		}
		switch kind {
		case msgError:
			if refusal == nil {
				refusal = parsePostgresError(body)
			}
		case msgReady:
			if string(body) != "I" {
				return false, fmt.Errorf("transaction status %q after a statement", body)
			}
			return true, refusal
		case msgNotice, msgParameter, msgNotification:
		default:
			if err := take(kind, body); err != nil {
				return false, err
			}
		}
	}
}

// next reads one message and returns its type and the beginning of what it
// says, which is overwritten by the next.
func (a *answers) next() (kind byte, body []byte, err error) {
	var header [5]byte
	if _, err := io.ReadFull(a.r, header[:]); err != nil {
		return 0, nil, err
	}
	const own = 4 // a length counts itself
	length := binary.BigEndian.Uint32(header[1:])
	if length < own || length > math.MaxInt32 {
		return 0, nil, fmt.Errorf("message %q of %d bytes", header[0], length)
	}
	rest := int(length) - own
	a.body = slices.Grow(a.body[:0], min(rest, longestMessage))[:min(rest, longestMessage)]
	if _, err := io.ReadFull(a.r, a.body); err != nil {
		return 0, nil, err
	}
	_, err = a.r.Discard(rest - len(a.body))
	return header[0], a.body, err
}
