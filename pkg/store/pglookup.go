package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// lookUpStatement hides from the planner how many ids there are. It guesses
// ten, and so asks the primary key in any table of more than some forty pages;
// where it can count them, it reads the whole table while that is not much
// larger than the batch. A join by LATERAL costs half as much again.
const lookUpStatement = `SELECT event_id FROM events WHERE event_id = ANY ((SELECT $1)::uuid[])`

// The types of messages that belong to a statement with parameters, of
// frontend and backend.
const (
	msgParse         = 'P'
	msgBind          = 'B'
	msgExecute       = 'E'
	msgSync          = 'S'
	msgParseComplete = '1'
	msgBindComplete  = '2'
	msgDataRow       = 'D'
)

const (
	oidUUID      = 2950
	oidUUIDArray = 2951
	binaryFormat = 1
)

// existing returns those ids of the rows that are stored, in any order. They
// travel in binary: as text, reading them takes the server longer than looking
// for them.
func existing(ctx context.Context, db *bun.DB, rows []row) (ids []uuid.UUID, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	err = speak(ctx, conn, func(c *pgConn) error {
		return c.exchange(
			func(socket net.Conn) error {
				buf := appendLookUp(c.piece[:0], rows)
				_, err := socket.Write(buf)
				c.keep(buf)
				return err
			},
			func(a *answers) (ready bool, err error) {
				ids, ready, err = readLookUpAnswer(a)
				return ready, err
			})
	})
	_ = conn.Close() // one that broke says so here once more
	return ids, err
}

// appendLookUp appends the messages that ask for the ids of the rows.
func appendLookUp(dst []byte, rows []row) []byte {
	const (
		arrayHeader = 5 * 4
		element     = 4 + len(uuid.UUID{})
	)
	dst, start := beginMessage(dst, msgParse)
	dst = append(dst, 0) // a statement without a name
	dst = append(append(dst, lookUpStatement...), 0)
	dst = binary.BigEndian.AppendUint16(dst, 1)
	dst = binary.BigEndian.AppendUint32(dst, oidUUIDArray)
	endMessage(dst, start)

	dst, start = beginMessage(dst, msgBind)
	dst = append(dst, 0, 0) // neither a portal with one
	dst = binary.BigEndian.AppendUint16(dst, 1)
	dst = binary.BigEndian.AppendUint16(dst, binaryFormat)
	dst = binary.BigEndian.AppendUint16(dst, 1)
	dst = appendLength(dst, arrayHeader+element*len(rows))
	dst = binary.BigEndian.AppendUint32(dst, 1) // dimension
	dst = binary.BigEndian.AppendUint32(dst, 0) // no NULL
	dst = binary.BigEndian.AppendUint32(dst, oidUUID)
	dst = appendLength(dst, len(rows))
	dst = binary.BigEndian.AppendUint32(dst, 1) // where the indexes begin
	for _, r := range rows {
		dst = appendLength(dst, len(r.ID))
		dst = append(dst, r.ID[:]...)
	}
	dst = binary.BigEndian.AppendUint16(dst, 1)
	dst = binary.BigEndian.AppendUint16(dst, binaryFormat)
	endMessage(dst, start)

	dst, start = beginMessage(dst, msgExecute)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, 0) // all rows
	endMessage(dst, start)

	dst, start = beginMessage(dst, msgSync)
	endMessage(dst, start)
	return dst
}

// readLookUpAnswer returns the ids that PostgreSQL has sent, once it has said
// how many they are.
func readLookUpAnswer(a *answers) (ids []uuid.UUID, ready bool, err error) {
	tag := ""
	ready, err = a.untilReady(func(kind byte, body []byte) error {
		switch kind {
		case msgParseComplete, msgBindComplete:
			return nil
		case msgDataRow:
			id, err := parseIDRow(body)
			ids = append(ids, id)
			return err
		case msgCommandComplete:
			tag = string(body)
			return nil
		}
		return fmt.Errorf("unexpected message %q in a look-up", kind)
	})
	if err != nil {
		return nil, ready, err
	}
	if tag != "SELECT "+strconv.Itoa(len(ids))+"\x00" {
		return nil, false, fmt.Errorf("a look-up of %d rows is answered with %q", len(ids), tag)
	}
	return ids, true, nil
}

// parseIDRow reads a row of one id.
func parseIDRow(body []byte) (id uuid.UUID, err error) {
	const header = "\x00\x01" + "\x00\x00\x00\x10" // one column of 16 bytes
	if len(body) != len(header)+len(id) || string(body[:len(header)]) != header {
		return id, fmt.Errorf("a row of %d bytes is no id", len(body))
	}
	copy(id[:], body[len(header):])
	return id, nil
}
