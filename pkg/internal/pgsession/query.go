package pgsession

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ArrayType names a type of arrays and that of its elements by their object
// identifiers, which are the same in every server: pg_type.dat.
type ArrayType struct{ array, element uint32 }

// The types of arrays that [Query] sends.
var (
	UUIDs      = ArrayType{2951, 2950}
	Texts      = ArrayType{1009, 25}
	Timestamps = ArrayType{1185, 1184}
)

// Array is a parameter in binary: an array of one dimension without NULL.
type Array struct {
	Type ArrayType
	Len  int
	// Size returns how many bytes Append appends for an element, exactly.
	Size func(element int) int
	// Append appends an element by one of the functions of this package.
	Append func(dst []byte, element int) []byte
}

// arrayHeader is the number of dimensions, whether there are NULLs, the type of
// the elements, how many they are, and the index of the first.
const arrayHeader = 5 * 4

func (a Array) size() int {
	size := arrayHeader
	for i := range a.Len {
		size += a.Size(i)
	}
	return size
}

const (
	binaryFormat = 1
	allRows      = 0
)

// Query runs a statement that returns rows, with parameters $1, $2, … , and
// calls row for each of them with its columns in binary, which the next one
// overwrites. A row of more than 8 KiB is an error.
//
// The statement of prologue, "" for none, runs before it in the same
// transaction, which is where set_config(…, true) lasts; its result is dropped.
// All of it is one round trip, and one transaction
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING).
//
// Parameters do not show in the server's log when a statement fails, as its
// text does.
//
// When Query returns nil the transaction is committed; rows come before that
// and mean nothing by themselves. Unless the error is one of the server
// ([AsError]), the outcome is unknown.
func Query(ctx context.Context, conn RawConn, prologue, statement string, parameters []Array, row func(columns [][]byte) error) error {
	return roundTrip(ctx, conn,
		func(w *messageWriter) error {
			if prologue != "" {
				if err := writeStatement(w, prologue, nil); err != nil {
					return err
				}
			}
			if err := writeStatement(w, statement, parameters); err != nil {
				return err
			}
			w.begin(msgSync)
			w.end()
			return nil
		},
		func(r *messageReader) (ready bool, err error) {
			before := 0
			if prologue != "" {
				before = 1
			}
			return readResult(r, before, row)
		})
}

// writeStatement writes Parse, Bind and Execute, by the unnamed statement and
// the unnamed portal.
func writeStatement(w *messageWriter, statement string, parameters []Array) error {
	w.begin(msgParse)
	w.string("")
	w.string(statement)
	w.int16(uint16(len(parameters)))
	for _, p := range parameters {
		w.buf = binary.BigEndian.AppendUint32(w.buf, p.Type.array)
	}
	w.end()
	if err := writeBind(w, parameters); err != nil {
		return err
	}
	w.begin(msgExecute)
	w.string("")
	w.int32(allRows)
	w.end()
	return nil
}

func writeBind(w *messageWriter, parameters []Array) error {
	sizes := make([]int, len(parameters))
	total := 2 + 4 + 2 + 4 // names, formats, count; formats of the result
	for i, p := range parameters {
		sizes[i] = p.size()
		total += lengthSize + sizes[i]
	}
	w.beginSized(msgBind, total)
	w.string("")
	w.string("")
	w.int16(1)
	w.int16(binaryFormat)
	w.int16(uint16(len(parameters)))
	for i, p := range parameters {
		w.int32(sizes[i])
		if err := writeArray(w, p); err != nil {
			return err
		}
	}
	w.int16(1)
	w.int16(binaryFormat)
	return nil
}

func writeArray(w *messageWriter, a Array) error {
	w.int32(1)
	w.int32(0)
	w.buf = binary.BigEndian.AppendUint32(w.buf, a.Type.element)
	w.int32(a.Len)
	w.int32(1)
	for i := range a.Len {
		if w.full(a.Size(i)) {
			if err := w.flush(); err != nil {
				return err
			}
		}
		w.buf = a.Append(w.buf, i)
	}
	return nil
}

// readResult reads the result of a statement that so many others go before.
func readResult(r *messageReader, before int, row func(columns [][]byte) error) (ready bool, err error) {
	var columns [][]byte
	completed, rows, tag := 0, 0, ""
	ready, err = r.untilReady(func(kind byte, body []byte) (err error) {
		switch {
		case kind == msgParseComplete || kind == msgBindComplete:
			return nil
		case kind == msgDataRow && completed < before:
			return nil
		case kind == msgDataRow && completed == before:
			rows++
			if columns, err = parseDataRow(columns[:0], body); err != nil {
				return err
			}
			return row(columns)
		case kind == msgCommandComplete:
			completed++
			tag = string(body)
			return nil
		}
		return fmt.Errorf("unexpected message %q in the result of a statement", kind)
	})
	switch {
	case err != nil:
		return ready, err
	case completed != before+1:
		return false, errors.New("a statement ended without its completion")
	case !strings.HasSuffix(tag, " "+strconv.Itoa(rows)+"\x00"):
		return false, fmt.Errorf("%d rows are followed by %q", rows, tag)
	}
	return true, nil
}

// parseDataRow appends the columns of a row to columns; NULL is nil.
func parseDataRow(columns [][]byte, body []byte) ([][]byte, error) {
	if len(body) < 2 {
		return nil, fmt.Errorf("a row of %d bytes", len(body))
	}
	count := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	for range count {
		if len(body) < lengthSize {
			return nil, errors.New("a row that ends before its columns do")
		}
		length := int32(binary.BigEndian.Uint32(body))
		body = body[lengthSize:]
		if length < 0 {
			columns = append(columns, nil)
			continue
		}
		if int(length) > len(body) {
			return nil, errors.New("a row that ends before its columns do")
		}
		columns = append(columns, body[:length])
		body = body[length:]
	}
	if len(body) > 0 {
		return nil, errors.New("a row that goes on behind its columns")
	}
	return columns, nil
}
