package journal

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// The layout of a record; the package comment describes it.
const (
	magic      = "\xffEP\xfe"
	crcAt      = 4
	lengthAt   = 8
	seqAt      = 12
	timeAt     = 20
	headerSize = 28

	// maxPayload is more than any record has; a greater length is corruption.
	maxPayload = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends a record made at the given time, without its sequence
// number and checksum: see number.
func appendRecord(dst []byte, at time.Time, encode func([]byte) []byte) []byte {
	start := len(dst)
	var header [headerSize]byte
	copy(header[:], magic)
	dst = encode(append(dst, header[:]...))
	record := dst[start:]
	binary.LittleEndian.PutUint32(record[lengthAt:], uint32(len(record)-headerSize))
	binary.LittleEndian.PutUint64(record[timeAt:], uint64(at.UnixMicro()))
	return dst
}

// number numbers the records in b, made by appendRecord, from seq on, and sets
// their checksums.
func number(b []byte, seq uint64) {
	for ; len(b) > 0; seq++ {
		end := headerSize + int(binary.LittleEndian.Uint32(b[lengthAt:]))
		binary.LittleEndian.PutUint64(b[seqAt:], seq)
		binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:end]))
		b = b[end:]
	}
}

// checksum returns what a record's checksum must be.
func checksum(record []byte) uint32 {
	return crc32.Checksum(record[lengthAt:], castagnoli)
}
