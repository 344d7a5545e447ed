package httpserver

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

// headerRequestID is X-Request-ID in the canonical spelling of header maps.
const headerRequestID = "X-Request-Id"

// requestID returns the id that the request came with if it is fit to be
// repeated, or a new one.
func requestID(h http.Header) string {
	if ids := h[headerRequestID]; len(ids) == 1 && saneID(ids[0]) {
		return ids[0]
	}
	return newRequestID()
}

// newRequestID returns 128 random bits in hexadecimal. They need to be
// unique, not secret.
func newRequestID() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	return hex.EncodeToString(id[:])
}

// saneID reports whether id is 1 to 128 characters of A–Z, a–z, 0–9, ".",
// "_" and "-".
func saneID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
