package proxy

import (
	"bytes"
	"regexp"
)

// MidXADD matches the middle of a pipeline that adds to a stream: the first
// half of it arrives.
func MidXADD(chunk []byte) (cut int, ok bool) {
	if !bytes.Contains(bytes.ToUpper(chunk), []byte("XADD")) {
		return 0, false
	}
	return len(chunk) / 2, true
}

// committed is how PostgreSQL ends its reply to what has written, when no
// transaction is open.
var committed = regexp.MustCompile(`(INSERT 0 \d+|COPY \d+|COMMIT)\x00Z\x00\x00\x00\x05I`)

// Committed matches PostgreSQL's word that a statement that writes, or a
// COMMIT, is done, of which nothing arrives: committed and never heard of.
func Committed(chunk []byte) (cut int, ok bool) {
	return 0, committed.Match(chunk)
}

// MidInsert matches the middle of an INSERT, or of a COPY and its rows, on its
// way to PostgreSQL.
func MidInsert(chunk []byte) (cut int, ok bool) {
	upper := bytes.ToUpper(chunk)
	if !bytes.Contains(upper, []byte("INSERT INTO")) && !bytes.Contains(upper, []byte("FROM STDIN")) {
		return 0, false
	}
	return len(chunk) / 2, true
}
