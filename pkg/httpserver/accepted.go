package httpserver

import (
	"encoding/hex"
	"strconv"

	"github.com/google/uuid"
)

// uuidLength is that of a UUID as text.
const uuidLength = 36

// appendAccepted appends the answer to one event accepted.
func appendAccepted(dst []byte, id uuid.UUID) []byte {
	dst = append(dst, `{"status":"accepted","event_id":"`...)
	dst = appendUUID(dst, id)
	return append(dst, "\"}\n"...)
}

// appendAcceptedBatch appends the answer to a batch accepted.
func appendAcceptedBatch(dst []byte, ids []uuid.UUID) []byte {
	dst = append(dst, `{"status":"accepted","count":`...)
	dst = strconv.AppendInt(dst, int64(len(ids)), 10)
	dst = append(dst, `,"event_ids":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = appendUUID(dst, id)
		dst = append(dst, '"')
	}
	return append(dst, "]}\n"...)
}

func appendUUID(dst []byte, id uuid.UUID) []byte {
	var text [uuidLength]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return append(dst, text[:]...)
}
