package store

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// The driver's own COPY cannot be used over a connection that heeds its
// context, sends its data in pieces of a kilobyte, and leaves a connection
// that broke in the pool. So this file speaks that part of the protocol.

const (
	// copyPiece is up to how much is rendered before any of it is sent. A
	// batch that fits goes out at once: the server is not left waiting in
	// the middle of a transaction by a process that is stopped or cut off.
	copyPiece = 1 << 20
	// longestMessage is how much of a message is kept.
	longestMessage = 8 << 10
	// lastWords is how long the server is listened to after it stopped
	// listening.
	lastWords = time.Second
)

// The types of messages that belong to COPY, of frontend and backend.
const (
	msgQuery           = 'Q'
	msgCopyData        = 'd'
	msgCopyDone        = 'c'
	msgCopyIn          = 'G'
	msgCommandComplete = 'C'
	msgReady           = 'Z'
	msgError           = 'E'
	msgNotice          = 'N'
	msgParameter       = 'S'
	msgNotification    = 'A'
)

// copyIn stores rows, all or none, and returns how many PostgreSQL says it
// has. Unless the error is a serverError, the outcome is unknown.
func copyIn(ctx context.Context, conn bun.Conn, rows []row) (stored int, err error) {
	err = conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*pgConn)
		if !ok {
			return fmt.Errorf("unexpected connection type %T", driverConn)
		}
		done := c.watch(ctx)
		stored, err = c.exchangeCopy(rows)
		return done(err)
	})
	return stored, err
}

// exchangeCopy sends and reads at the same time: the server may answer, and at
// length, before it has read everything. It sends without waiting for the
// server's consent: one that refuses the statement drops the data behind it.
func (c *pgConn) exchangeCopy(rows []row) (int, error) {
	socket := c.Conn.Conn()
	var deadline time.Time
	if c.patience > 0 {
		deadline = time.Now().Add(c.patience)
	}
	if err := socket.SetDeadline(deadline); err != nil {
		_ = c.Close()
		return 0, err
	}
	sent := make(chan error, 1)
	go func() {
		err := c.sendCopy(socket, rows)
		if err != nil {
			// What the server said before it hung up can still be read.
			_ = socket.SetReadDeadline(time.Now().Add(lastWords))
		}
		sent <- err
	}()
	if c.answers == nil {
		c.answers = bufio.NewReader(socket)
	}
	stored, ready, err := readCopyAnswer(c.answers)
	if !ready || c.answers.Buffered() > 0 {
		// What is left over belongs to nobody: the driver would not see it.
		_ = c.Close()
	}
	if sendErr := <-sent; sendErr != nil {
		_ = c.Close()
		if err == nil {
			err = sendErr
		}
	}
	return stored, err
}

// sendCopy writes the statement, its data and the end of them.
func (c *pgConn) sendCopy(socket net.Conn, rows []row) error {
	buf := c.piece[:0]
	defer func() {
		if cap(buf) <= 2*copyPiece {
			c.piece = buf
		}
	}()
	if cap(buf) == 0 {
		size := len(copyStatement) + 64
		for _, r := range rows {
			size += copySize(r.Event)
		}
		buf = make([]byte, 0, min(size, copyPiece))
	}
	buf, start := beginMessage(buf, msgQuery)
	buf = append(append(buf, copyStatement...), 0)
	endMessage(buf, start)
	buf, start = beginMessage(buf, msgCopyData)
	buf = append(buf, copySignature...)
	for _, r := range rows {
		if len(buf)+copySize(r.Event) > copyPiece {
			endMessage(buf, start)
			if _, err := socket.Write(buf); err != nil {
				return err
			}
			buf, start = beginMessage(buf[:0], msgCopyData)
		}
		buf = appendCopyRow(buf, r.Event)
	}
	buf = append(buf, copyTrailer...)
	endMessage(buf, start)
	buf, start = beginMessage(buf, msgCopyDone)
	endMessage(buf, start)
	_, err := socket.Write(buf)
	return err
}

func beginMessage(buf []byte, kind byte) ([]byte, int) {
	return append(buf, kind, 0, 0, 0, 0), len(buf) + 1
}

func endMessage(buf []byte, start int) {
	binary.BigEndian.PutUint32(buf[start:], uint32(len(buf)-start))
}

// readCopyAnswer reads until the server is ready for the next statement, and
// returns whether it is. Rows are stored when it says first how many and then
// that it is ready; it says the first only after the commit.
func readCopyAnswer(r *bufio.Reader) (stored int, ready bool, err error) {
	var refusal error
	stored = -1
	for {
		kind, body, err := readMessage(r)
		if err != nil {
			// The server's own word, where it had one before it hung up.
			return 0, false, cmp.Or(refusal, err)
		}
		switch kind {
		case msgError:
			if refusal == nil {
				refusal = parsePostgresError(body)
			}
		case msgCommandComplete:
			if stored, err = parseCopyTag(body); err != nil {
				return 0, false, err
			}
		case msgReady:
			switch {
			case string(body) != "I":
				return 0, false, fmt.Errorf("transaction status %q after COPY", body)
			case refusal != nil:
				return 0, true, refusal
			case stored < 0:
				return 0, false, errors.New("no word of completion after COPY")
			}
			return stored, true, nil
		case msgCopyIn, msgNotice, msgParameter, msgNotification:
		default:
			return 0, false, fmt.Errorf("unexpected message %q in COPY", kind)
		}
	}
}

// readMessage reads one message and returns its type and the beginning of
// what it says.
func readMessage(r *bufio.Reader) (kind byte, body []byte, err error) {
	var header [5]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	const own = 4 // a length counts itself
	length := binary.BigEndian.Uint32(header[1:])
	if length < own || length > math.MaxInt32 {
		return 0, nil, fmt.Errorf("message %q of %d bytes", header[0], length)
	}
	body = make([]byte, min(int(length)-own, longestMessage))
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	_, err = r.Discard(int(length) - own - len(body))
	return header[0], body, err
}

// parseCopyTag reads the number in "COPY 12".
func parseCopyTag(body []byte) (int, error) {
	tag := strings.TrimSuffix(string(body), "\x00")
	digits, ok := strings.CutPrefix(tag, "COPY ")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("COPY is answered with %q", tag)
	}
	return n, nil
}
