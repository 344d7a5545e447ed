package pgsession

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// message renders a message of the server.
func message(kind byte, body string) string {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(body)))
	return string(head) + body
}

const (
	copyInFormat = "\x01\x00\x06\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01\x00\x01"
	uniqueError  = "SERROR\x00VERROR\x00C23505\x00Mduplicate key\x00nevents_pkey\x00\x00"
	fatalError   = "SFATAL\x00VFATAL\x00C57P01\x00Mterminating\x00\x00"
)

func TestReadCopyResult(t *testing.T) {
	begin, done, ready := message('G', copyInFormat), message('C', "COPY 12\x00"), message('Z', "I")
	noise := message('N', "SNOTICE\x00Mhm\x00\x00") + message('S', "a\x00b\x00") + message('A', "\x00\x00\x00\x01c\x00\x00")
	long := message('E', "C22P02\x00M"+strings.Repeat("x", 3*maxBody)+"\x00\x00")
	for name, c := range map[string]struct {
		answer string
		stored int
		ready  bool
		state  string // of the error
		says   string // by the error
	}{
		"stored":                      {answer: begin + done + ready, stored: 12, ready: true},
		"with much beside it":         {answer: noise + begin + noise + done + noise + ready, stored: 12, ready: true},
		"after a prologue":            {answer: message('T', "\x00\x00") + message('D', "\x00\x00") + message('C', "SELECT 1\x00") + begin + done + ready, stored: 12, ready: true},
		"a prologue alone":            {answer: message('C', "SELECT 1\x00") + ready, says: "without its completion"},
		"an error at once":            {answer: message('E', uniqueError) + ready, ready: true, state: "23505"},
		"an error later":              {answer: begin + noise + message('E', uniqueError) + ready, ready: true, state: "23505"},
		"the first error counts":      {answer: message('E', uniqueError) + message('E', fatalError) + ready, ready: true, state: "23505"},
		"a long error":                {answer: begin + long + ready, ready: true, state: "22P02"},
		"an error after completion":   {answer: begin + done + message('E', uniqueError) + ready, ready: true, state: "23505"},
		"an error and the end":        {answer: begin + message('E', fatalError), state: "57P01"},
		"an empty error":              {answer: message('E', "\x00") + ready, ready: true, says: "SQLSTATE"},
		"completion without ready":    {answer: begin + done, says: "EOF"},
		"ready without completion":    {answer: begin + ready, says: "without its completion"},
		"in a transaction":            {answer: begin + done + message('Z', "T"), says: "transaction status"},
		"in a failed transaction":     {answer: message('E', uniqueError) + message('Z', "E"), says: "transaction status"},
		"no status":                   {answer: begin + done + message('Z', ""), says: "transaction status"},
		"another tag":                 {answer: begin + message('C', "INSERT 0 12\x00") + ready, says: "INSERT 0 12"},
		"no number":                   {answer: begin + message('C', "COPY \x00") + ready, says: "COPY"},
		"a number below nothing":      {answer: begin + message('C', "COPY -1\x00") + ready, says: "COPY -1"},
		"rows behind COPY":            {answer: begin + message('T', "\x00\x00") + done + ready, says: "unexpected message"},
		"COPY twice":                  {answer: begin + begin + done + ready, says: "unexpected message"},
		"another statement":           {answer: message('1', "") + ready, says: "unexpected message"},
		"a length below its own":      {answer: "G\x00\x00\x00\x03", says: "3 bytes"},
		"a length beyond all lengths": {answer: "G\xff\xff\xff\xff", says: "bytes"},
		"cut in a header":             {answer: begin + done[:3], says: "EOF"},
		"cut in a body":               {answer: begin + done[:9], says: "EOF"},
		"nothing":                     {says: "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.answer), iotest.OneByteReader(strings.NewReader(c.answer))} {
				stored, ready, err := readCopyResult(newMessageReader(r))
				require.Equal(t, c.ready, ready)
				require.Equal(t, c.state, State(err))
				if c.state == "" && c.says == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, c.says)
				}
				require.Equal(t, c.stored, stored)
			}
		})
	}
}

func FuzzReadCopyResult(f *testing.F) {
	f.Add([]byte(message('G', copyInFormat) + message('C', "COPY 12\x00") + message('Z', "I")))
	f.Add([]byte(message('E', uniqueError) + message('Z', "I")))
	f.Fuzz(func(t *testing.T, answer []byte) {
		stored, ready, err := readCopyResult(newMessageReader(bytes.NewReader(answer)))
		if err == nil {
			require.True(t, ready)
			require.Contains(t, string(answer), "COPY ")
			require.Contains(t, string(answer), message('Z', "I"))
			require.GreaterOrEqual(t, stored, 0)
		}
	})
}
