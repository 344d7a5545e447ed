package pgsession

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// idRow renders a row of one id, each byte of which is b.
func idRow(b byte) string {
	return message('D', "\x00\x01\x00\x00\x00\x10"+strings.Repeat(string([]byte{b}), 16))
}

func TestReadResult(t *testing.T) {
	begin, ready := message('1', "")+message('2', ""), message('Z', "I")
	none, two := message('C', "SELECT 0\x00"), message('C', "SELECT 2\x00")
	noise := message('N', "SNOTICE\x00Mhm\x00\x00") + message('S', "a\x00b\x00") + message('A', "\x00\x00\x00\x01c\x00\x00")
	missing := message('E', "SERROR\x00C42P01\x00Mrelation \"events\" does not exist\x00\x00")
	prologue := begin + idRow(9) + message('C', "SELECT 1\x00")
	for name, c := range map[string]struct {
		before int
		answer string
		ids    string // a byte of each
		ready  bool
		state  string // of the error
		says   string // by the error
	}{
		"no row":                    {answer: begin + none + ready, ready: true},
		"two rows":                  {answer: begin + idRow(1) + idRow(2) + two + ready, ids: "\x01\x02", ready: true},
		"two rows of INSERT":        {answer: begin + idRow(1) + idRow(2) + message('C', "INSERT 0 2\x00") + ready, ids: "\x01\x02", ready: true},
		"after a prologue":          {before: 1, answer: prologue + begin + idRow(1) + idRow(2) + two + ready, ids: "\x01\x02", ready: true},
		"a prologue alone":          {before: 1, answer: prologue + ready, says: "without its completion"},
		"with notices among it":     {answer: noise + begin + noise + idRow(7) + noise + idRow(0xff) + two + noise + ready, ids: "\x07\xff", ready: true},
		"an error at once":          {answer: missing + ready, ready: true, state: "42P01"},
		"an error after parsing":    {answer: message('1', "") + missing + ready, ready: true, state: "42P01"},
		"an error among rows":       {answer: begin + idRow(1) + missing + ready, ready: true, state: "42P01"},
		"an error after completion": {answer: begin + none + missing + ready, ready: true, state: "42P01"},
		"an error and the end":      {answer: begin + idRow(1) + message('E', fatalError), state: "57P01"},
		"completion without ready":  {answer: begin + none, says: "EOF"},
		"ready without completion":  {answer: begin + ready, says: "without its completion"},
		"completion twice":          {answer: begin + none + none + ready, says: "without its completion"},
		"fewer rows than it says":   {answer: begin + idRow(1) + two + ready, says: "SELECT 2"},
		"more rows than it says":    {answer: begin + idRow(1) + idRow(2) + idRow(3) + two + ready, says: "SELECT 2"},
		"a row after completion":    {answer: begin + none + idRow(1) + ready, says: "unexpected message"},
		"in a transaction":          {answer: begin + none + message('Z', "T"), says: "transaction status"},
		"in a failed transaction":   {answer: missing + message('Z', "E"), says: "transaction status"},
		"a row without its length":  {answer: begin + message('D', "\x00\x01\x00\x00"), says: "a row that ends"},
		"a row cut short":           {answer: begin + message('D', "\x00\x01\x00\x00\x00\x10abc"), says: "a row that ends"},
		"a row too long":            {answer: begin + message('D', "\x00\x01\x00\x00\x00\x01ab"), says: "a row that goes on"},
		"an empty row":              {answer: begin + message('D', ""), says: "a row of 0 bytes"},
		"a description":             {answer: begin + message('T', "\x00\x00") + none + ready, says: "unexpected message"},
		"COPY":                      {answer: message('G', copyInFormat), says: "unexpected message"},
		"a suspended portal":        {answer: begin + idRow(1) + message('s', "") + ready, says: "unexpected message"},
		"a length below its own":    {answer: "1\x00\x00\x00\x03", says: "3 bytes"},
		"a length beyond the end":   {answer: "D\x7f\xff\xff\xff\x00\x01", says: "EOF"},
		"cut in a header":           {answer: begin[:3], says: "EOF"},
		"cut in a row":              {answer: begin + idRow(1)[:9], says: "EOF"},
		"nothing":                   {says: "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.answer), iotest.OneByteReader(strings.NewReader(c.answer))} {
				var ids []string
				ready, err := readResult(newMessageReader(r), c.before, func(columns [][]byte) error {
					require.Len(t, columns, 1)
					ids = append(ids, string(columns[0]))
					return nil
				})
				require.Equal(t, c.ready, ready)
				require.Equal(t, c.state, State(err))
				if c.state != "" || c.says != "" {
					require.ErrorContains(t, err, c.says)
					continue
				}
				require.NoError(t, err)
				require.Len(t, ids, len(c.ids))
				for i, id := range ids {
					require.Equal(t, strings.Repeat(c.ids[i:i+1], 16), id)
				}
			}
		})
	}
}

func FuzzReadResult(f *testing.F) {
	begin, ready := message('1', "")+message('2', ""), message('Z', "I")
	f.Add([]byte(begin + message('C', "SELECT 0\x00") + ready))
	f.Add([]byte(begin + idRow(1) + idRow(2) + message('C', "SELECT 2\x00") + ready))
	f.Add([]byte(message('E', uniqueError) + ready))
	f.Add([]byte(begin + message('D', "\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00") + message('C', "SELECT 1\x00") + ready))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var values [][]byte
		_, err := readResult(newMessageReader(bytes.NewReader(answer)), 0, func(columns [][]byte) error {
			for _, c := range columns {
				values = append(values, bytes.Clone(c))
			}
			return nil
		})
		if err != nil {
			return
		}
		require.Contains(t, string(answer), message('Z', "I"))
		for _, v := range values {
			require.Contains(t, string(answer), string(v))
		}
	})
}

// The messages of a statement follow one another without a gap, and the lengths
// in them agree, whatever is flushed in between.
func TestWriteStatement_LengthsAgree(t *testing.T) {
	for _, n := range []int{0, 1, 1000} {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = strings.Repeat("x", i*5)
		}
		var sent bytes.Buffer
		w := messageWriter{socket: sink{Writer: &sent}}
		require.NoError(t, writeStatement(&w, "SELECT $1, $2", []Array{
			{Type: UUIDs, Len: n, Size: func(int) int { return UUIDSize },
				Append: func(dst []byte, i int) []byte { return AppendUUID(dst, [16]byte{byte(i)}) }},
			{Type: Texts, Len: n, Size: func(i int) int { return TextSize + len(texts[i]) },
				Append: func(dst []byte, i int) []byte { return AppendText(dst, texts[i]) }},
		}))
		require.NoError(t, w.flush())
		kinds := ""
		for rest := sent.Bytes(); len(rest) > 0; {
			length := int(binary.BigEndian.Uint32(rest[1:]))
			require.LessOrEqual(t, length, len(rest)-1)
			kinds += string(rune(rest[0]))
			if rest[0] == msgBind {
				requireArrays(t, rest[5:1+length], n)
			}
			rest = rest[1+length:]
		}
		require.Equal(t, "PBE", kinds)
	}
}

// requireArrays reads the body of a Bind with two arrays of n elements.
func requireArrays(t *testing.T, body []byte, n int) {
	t.Helper()
	body = body[2+2+2+2:] // names, formats, count
	for range 2 {
		length := int(binary.BigEndian.Uint32(body))
		array := body[4 : 4+length]
		require.EqualValues(t, n, binary.BigEndian.Uint32(array[12:]))
		array = array[arrayHeader:]
		for range n {
			array = array[4+binary.BigEndian.Uint32(array):]
		}
		require.Empty(t, array)
		body = body[4+length:]
	}
	require.Len(t, body, 4) // the formats of the result
}

// sink is a connection that only writes.
type sink struct {
	net.Conn
	io.Writer
}

func (s sink) Write(b []byte) (int, error) { return s.Writer.Write(b) }
