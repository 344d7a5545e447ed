package event

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
)

// canonicalUUID is the length of the only form of a UUID taken: 32 hex digits
// and four hyphens.
const canonicalUUID = 36

const errBadID rule = "must be a UUID in its canonical form, such as 0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70"

// ParseID reads a UUID of any version in its canonical form (RFC 9562, section
// 4), in either case. The error is a sentence fragment for whoever sent it.
func ParseID(text string) (uuid.UUID, error) {
	// uuid.Parse alone would also take the URN, braced and bare forms.
	if len(text) != canonicalUUID {
		return uuid.UUID{}, errBadID
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.UUID{}, errBadID
	}
	return id, nil
}

// AppendID appends the canonical form of id, in lower case.
func AppendID(dst []byte, id uuid.UUID) []byte {
	dst = append(hex.AppendEncode(dst, id[0:4]), '-')
	dst = append(hex.AppendEncode(dst, id[4:6]), '-')
	dst = append(hex.AppendEncode(dst, id[6:8]), '-')
	dst = append(hex.AppendEncode(dst, id[8:10]), '-')
	return hex.AppendEncode(dst, id[10:16])
}

// NewID returns a new UUIDv7. The twelve bits after the millisecond hold the
// fraction of that millisecond (RFC 9562, section 6.2, method 3), so ids of one
// process sort by age to a quarter of a microsecond, which is all an index wants
// of them. No counter is shared, hence no lock.
//
// The other 62 bits come from the system's generator, not from math/rand: the
// first event under an id is the one that is kept, so whoever could guess the
// next id could have someone else's event dropped as a duplicate.
func NewID() uuid.UUID {
	var id uuid.UUID
	rand.Read(id[8:]) // never fails: the process ends instead

	now := time.Now().UnixNano()
	milli, rest := uint64(now)/1e6, uint64(now)%1e6
	binary.BigEndian.PutUint64(id[:8], milli<<16|0x7000|rest<<12/1e6)
	id[8] = id[8]&0x3f | 0x80
	return id
}
