package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// idRow renders a row of one id, each byte of which is b.
func idRow(b byte) string {
	return message('D', "\x00\x01\x00\x00\x00\x10"+strings.Repeat(string([]byte{b}), 16))
}

func TestReadLookUpAnswer(t *testing.T) {
	begin, ready := message('1', "")+message('2', ""), message('Z', "I")
	none, two := message('C', "SELECT 0\x00"), message('C', "SELECT 2\x00")
	noise := message('N', "SNOTICE\x00Mhm\x00\x00") + message('S', "a\x00b\x00") + message('A', "\x00\x00\x00\x01c\x00\x00")
	refusal := message('E', "SERROR\x00C42P01\x00Mrelation \"events\" does not exist\x00\x00")
	for name, c := range map[string]struct {
		answer string
		ids    string // a byte of each
		ready  bool
		state  string // of the error
		says   string // by the error
	}{
		"none":                      {answer: begin + none + ready, ready: true},
		"two":                       {answer: begin + idRow(1) + idRow(2) + two + ready, ids: "\x01\x02", ready: true},
		"with much beside it":       {answer: noise + begin + noise + idRow(7) + noise + idRow(0xff) + two + noise + ready, ids: "\x07\xff", ready: true},
		"refused at once":           {answer: refusal + ready, ready: true, state: "42P01"},
		"refused after parsing":     {answer: message('1', "") + refusal + ready, ready: true, state: "42P01"},
		"refused among rows":        {answer: begin + idRow(1) + refusal + ready, ready: true, state: "42P01"},
		"refused after completion":  {answer: begin + none + refusal + ready, ready: true, state: "42P01"},
		"an error and the end":      {answer: begin + idRow(1) + message('E', fatalError), state: "57P01"},
		"completion without ready":  {answer: begin + none, says: "EOF"},
		"ready without completion":  {answer: begin + ready, says: "0 rows"},
		"fewer rows than it says":   {answer: begin + idRow(1) + two + ready, says: "SELECT 2"},
		"more rows than it says":    {answer: begin + idRow(1) + idRow(2) + idRow(3) + two + ready, says: "SELECT 2"},
		"another tag":               {answer: begin + message('C', "INSERT 0 0\x00") + ready, says: "INSERT 0 0"},
		"in a transaction":          {answer: begin + none + message('Z', "T"), says: "transaction status"},
		"in a failed transaction":   {answer: refusal + message('Z', "E"), says: "transaction status"},
		"a NULL":                    {answer: begin + message('D', "\x00\x01\xff\xff\xff\xff"), says: "no id"},
		"text":                      {answer: begin + message('D', "\x00\x01\x00\x00\x00\x24"+uuid.Nil.String()), says: "no id"},
		"two columns":               {answer: begin + message('D', "\x00\x02\x00\x00\x00\x10"+strings.Repeat("x", 16)), says: "no id"},
		"a row too long":            {answer: begin + message('D', "\x00\x01\x00\x00\x00\x10"+strings.Repeat("x", 17)), says: "no id"},
		"an empty row":              {answer: begin + message('D', ""), says: "no id"},
		"a message out of place":    {answer: begin + message('T', "\x00\x00") + none + ready, says: "unexpected message"},
		"COPY":                      {answer: message('G', copyInFormat), says: "unexpected message"},
		"a suspended portal":        {answer: begin + idRow(1) + message('s', "") + ready, says: "unexpected message"},
		"a length below its own":    {answer: "1\x00\x00\x00\x03", says: "3 bytes"},
		"a length beyond all there": {answer: "D\x7f\xff\xff\xff\x00\x01", says: "EOF"},
		"cut in a header":           {answer: begin[:3], says: "EOF"},
		"cut in a row":              {answer: begin + idRow(1)[:9], says: "EOF"},
		"nothing":                   {says: "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.answer), iotest.OneByteReader(strings.NewReader(c.answer))} {
				ids, ready, err := readLookUpAnswer(newAnswers(r))
				require.Equal(t, c.ready, ready)
				require.Equal(t, c.state, stateOf(err))
				if c.state == "" && c.says == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, c.says)
				}
				require.Len(t, ids, len(c.ids))
				for i, id := range ids {
					require.Equal(t, bytes.Repeat([]byte{c.ids[i]}, 16), id[:])
				}
			}
		})
	}
}

func FuzzReadLookUpAnswer(f *testing.F) {
	begin, ready := message('1', "")+message('2', ""), message('Z', "I")
	f.Add([]byte(begin + message('C', "SELECT 0\x00") + ready))
	f.Add([]byte(begin + idRow(1) + idRow(2) + message('C', "SELECT 2\x00") + ready))
	f.Add([]byte(message('E', uniqueError) + ready))
	f.Fuzz(func(t *testing.T, answer []byte) {
		ids, ready, err := readLookUpAnswer(newAnswers(bytes.NewReader(answer)))
		if err != nil {
			require.Empty(t, ids)
			return
		}
		require.True(t, ready)
		require.Contains(t, string(answer), fmt.Sprintf("SELECT %d\x00", len(ids)))
		require.Contains(t, string(answer), message('Z', "I"))
		for _, id := range ids {
			require.Contains(t, string(answer), string(id[:]))
		}
	})
}

// Messages follow one another without a gap, and the lengths within agree.
func TestAppendLookUp(t *testing.T) {
	for _, n := range []int{1, 2, 1000} {
		events := make([]event.Event, n)
		for i := range events {
			events[i].ID = uuid.New()
		}
		rows, _ := plan(events)
		a := newAnswers(bytes.NewReader(appendLookUp([]byte("?"), rows)[1:]))
		kinds := ""
		for {
			kind, body, err := a.next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			kinds += string(rune(kind))
			if kind == msgBind && n <= 2 { // not more than is kept of a message
				value := binary.BigEndian.Uint32(body[8:])
				require.EqualValues(t, 20+20*n, value)
				require.Len(t, body, 8+4+int(value)+4)
				require.Equal(t, string(rows[n-1].ID[:]), string(body[len(body)-4-16:len(body)-4]))
			}
		}
		require.Equal(t, "PBES", kinds)
	}
}

func TestDivide(t *testing.T) {
	events := make([]event.Event, 10)
	for i := range events {
		events[len(events)-1-i].ID[3] = byte(10 * i)
	}
	id := func(n byte) uuid.UUID { return uuid.UUID{3: n} }
	for name, c := range map[string]struct {
		ids   []uuid.UUID
		among []int
	}{
		"none":          {},
		"all but none":  {ids: []uuid.UUID{id(0), id(10), id(20), id(30), id(40), id(50), id(60), id(70), id(80), id(90)}, among: []int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		"some":          {ids: []uuid.UUID{id(0), id(30), id(90)}, among: []int{9, 6, 0}},
		"in disorder":   {ids: []uuid.UUID{id(90), id(0), id(30)}, among: []int{9, 6, 0}},
		"more than one": {ids: []uuid.UUID{id(30), id(30), id(40)}, among: []int{6, 5}},
		"strange ones":  {ids: []uuid.UUID{id(1), id(30), id(31), id(91)}, among: []int{6}},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _ := plan(events)
			rest, among := divide(rows, c.ids)
			require.ElementsMatch(t, c.among, among)
			require.Len(t, rest, len(events)-len(among))
			for _, r := range rest {
				require.NotContains(t, c.among, r.index)
				require.Equal(t, events[r.index].ID, r.ID)
			}
		})
	}
}
