package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/uptrace/bun"
)

// copyPiece is up to how much is rendered before any of it is sent. A batch
// that fits goes out at once: the server is not left waiting in the middle of a
// transaction by a process that is stopped or cut off.
const copyPiece = 1 << 20

// The types of messages that belong to COPY, of frontend and backend.
const (
	msgQuery    = 'Q'
	msgCopyData = 'd'
	msgCopyDone = 'c'
	msgCopyIn   = 'G'
)

// copyIn stores rows, all or none, and returns how many PostgreSQL says it
// has. Unless the error is a serverError, the outcome is unknown.
//
// It sends without waiting for the server's consent: one that refuses the
// statement drops the data behind it.
func copyIn(ctx context.Context, conn bun.Conn, rows []row) (stored int, err error) {
	err = speak(ctx, conn, func(c *pgConn) error {
		return c.exchange(
			func(socket net.Conn) error { return c.sendCopy(socket, rows) },
			func(a *answers) (ready bool, err error) {
				stored, ready, err = readCopyAnswer(a)
				return ready, err
			})
	})
	return stored, err
}

// sendCopy writes the statement, its data and the end of them.
func (c *pgConn) sendCopy(socket net.Conn, rows []row) error {
	buf := c.piece[:0]
	defer func() { c.keep(buf) }()
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

// readCopyAnswer returns how many rows are stored: the server says it only
// after the commit, and counts only once it is ready again.
func readCopyAnswer(a *answers) (stored int, ready bool, err error) {
	stored = -1
	ready, err = a.untilReady(func(kind byte, body []byte) (err error) {
		switch kind {
		case msgCopyIn:
			return nil
		case msgCommandComplete:
			stored, err = parseCopyTag(body)
			return err
		}
		return fmt.Errorf("unexpected message %q in COPY", kind)
	})
	if err == nil && stored < 0 {
		ready, err = false, errors.New("no word of completion after COPY")
	}
	if err != nil {
		return 0, ready, err
	}
	return stored, true, nil
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
