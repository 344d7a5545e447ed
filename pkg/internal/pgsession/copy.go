package pgsession

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// copySignature begins the binary format of COPY, without flags and without
	// an extension: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4 .
	copySignature = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyTrailer   = "\xff\xff"
	// rowHeader is the number of columns, which begins each row.
	rowHeader = 2
)

// Rows are what [Copy] sends.
type Rows struct {
	Len, Columns int
	// Size returns how many bytes Append appends for a row, or a few more.
	Size func(row int) int
	// Append appends the columns of a row by the functions of this package.
	Append func(dst []byte, row int) []byte
}

// Copy runs statement, a COPY … FROM STDIN (FORMAT binary), with these rows,
// and returns how many the server says are stored: fewer than were sent where a
// trigger of the table leaves some out. The rows are stored all or none.
//
// The statements of prologue, "" for none, run before it in the same
// transaction, which is where set_config(…, true) lasts; their results are
// dropped. All of it is one round trip.
//
// When Copy returns nil the transaction is committed. Unless the error is one
// of the server ([AsError]), the outcome is unknown.
//
// Nothing waits for the server's consent to COPY: one that refuses it drops the
// data behind it, as the protocol asks of it
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY).
func Copy(ctx context.Context, conn RawConn, prologue, statement string, rows Rows) (stored int, err error) {
	if prologue != "" {
		// Several statements in one message are one transaction:
		// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT .
		statement = prologue + "; " + statement
	}
	err = roundTrip(ctx, conn,
		func(w *messageWriter) error { return writeCopy(w, statement, rows) },
		func(r *messageReader) (ready bool, err error) {
			stored, ready, err = readCopyResult(r)
			return ready, err
		})
	return stored, err
}

// writeCopy writes the statement, its data and the end of them.
func writeCopy(w *messageWriter, statement string, rows Rows) error {
	if cap(w.buf) == 0 {
		size := len(statement) + 64
		for i := range rows.Len {
			size += rowHeader + rows.Size(i)
		}
		w.buf = make([]byte, 0, min(size, flushSize))
	}
	w.begin(msgQuery)
	w.string(statement)
	w.end()
	w.begin(msgCopyData)
	w.buf = append(w.buf, copySignature...)
	for i := range rows.Len {
		if w.full(rowHeader + rows.Size(i)) {
			w.end()
			if err := w.flush(); err != nil {
				return err
			}
			w.begin(msgCopyData)
		}
		w.int16(uint16(rows.Columns))
		w.buf = rows.Append(w.buf, i)
	}
	w.buf = append(w.buf, copyTrailer...)
	w.end()
	w.begin(msgCopyDone)
	w.end()
	return nil
}

// readCopyResult returns how many rows are stored. The server says so only
// after the commit, and it counts only once it is ready again.
func readCopyResult(r *messageReader) (stored int, ready bool, err error) {
	stored = -1
	copying := false
	ready, err = r.untilReady(func(kind byte, body []byte) (err error) {
		switch {
		case kind == msgCopyIn && !copying:
			copying = true
			return nil
		case kind == msgCommandComplete && copying:
			stored, err = parseCopyTag(body)
			return err
		case !copying && (kind == msgRowDescription || kind == msgDataRow || kind == msgCommandComplete):
			return nil // of the prologue
		}
		return fmt.Errorf("unexpected message %q in COPY", kind)
	})
	if err == nil && stored < 0 {
		ready, err = false, errors.New("COPY ended without its completion")
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
