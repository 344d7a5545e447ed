package wire

import "bytes"

// MidXADD matches the middle of a pipeline that adds to a stream: the first
// half of it arrives.
func MidXADD(chunk []byte) (cut int, ok bool) {
	if !bytes.Contains(bytes.ToUpper(chunk), []byte("XADD")) {
		return 0, false
	}
	return len(chunk) / 2, true
}

// committed is how PostgreSQL ends a reply when no transaction is open.
var committed = []byte("Z\x00\x00\x00\x05I")

// Committed matches PostgreSQL's word that a statement that writes, or a
// COMMIT, is done, of which nothing arrives: committed and never heard of.
func Committed(chunk []byte) (cut int, ok bool) {
	done := bytes.Contains(chunk, []byte("INSERT 0 ")) || bytes.Contains(chunk, []byte("COMMIT\x00"))
	return 0, done && bytes.Contains(chunk, committed)
}

// MidInsert matches the middle of an INSERT on its way to PostgreSQL.
func MidInsert(chunk []byte) (cut int, ok bool) {
	if !bytes.Contains(bytes.ToUpper(chunk), []byte("INSERT INTO")) {
		return 0, false
	}
	return len(chunk) / 2, true
}
