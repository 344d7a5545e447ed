package bench

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// eventType is what every event of a run happens to be.
const eventType = "page_view"

// timeFormat has the same length whatever the instant.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// newRunID names a run.
func newRunID() string {
	var id [4]byte
	rand.Read(id[:]) // never fails: the process ends instead
	return hex.EncodeToString(id[:])
}

// template is the text of every event of a run, with places for what differs.
// All that differs follows from the id, so that what was sent can be told from
// the id alone, and has the same length in every event, so that a request is
// made once and only written over.
type template struct {
	source string
	text   []byte
	// Where the values stand in text.
	id, timestamp, ms, page, user int
	payload, payloadEnd           int
}

// newTemplate returns the template of events whose JSON has that many bytes, or the
// fewest there can be.
func newTemplate(run string, size int) *template {
	t := &template{source: "bench-" + run}
	put := func(text string) int {
		t.text = append(t.text, text...)
		return len(t.text)
	}
	t.id = put(`{"event_id":"`)
	put(uuid.Nil.String())
	put(`","event_type":"` + eventType + `","source":"` + t.source + `","timestamp":"`)
	t.timestamp = len(t.text)
	put(timeFormat)
	t.payload = put(`","payload":`)
	// The members in PostgreSQL's own order: shorter names first.
	t.ms = put(`{"ms":`)
	t.page = put(`0000,"page":"/products/`)
	t.user = put(`0000","user":"u-`)
	put(`000000","title":"`)
	const end = `"}}`
	put(filler(size - len(t.text) - len(end)))
	put(end)
	t.payloadEnd = len(t.text) - 1
	return t
}

// filler is a title of n letters.
func filler(n int) string {
	const title = "Plans and prices for teams of every size, and what they hold. "
	if n <= 0 {
		return ""
	}
	return strings.Repeat(title, n/len(title)+1)[:n]
}

// size is the length of one event's JSON.
func (t *template) size() int { return len(t.text) }

// fill writes what belongs to id over dst, a copy of the template's text.
func (t *template) fill(dst []byte, id uuid.UUID) {
	putUUID(dst[t.id:], id)
	var buffer [2 * len(timeFormat)]byte // formatting leaves traces behind its end
	copy(dst[t.timestamp:], instant(id).AppendFormat(buffer[:0], timeFormat))
	chance := binary.BigEndian.Uint64(id[8:])
	putDigits(dst[t.ms:t.ms+4], 1000+chance%9000) // a number has no leading zeros
	putDigits(dst[t.page:t.page+4], chance>>16)
	putDigits(dst[t.user:t.user+6], chance>>32)
}

// same reports whether e is the event that was sent under its id. Scratch is
// a buffer to work in, returned for the next time.
func (t *template) same(e event.Event, scratch []byte) (bool, []byte) {
	scratch = append(scratch[:0], t.text...)
	t.fill(scratch, e.ID)
	payload := scratch[t.payload:t.payloadEnd]
	return e.Type == eventType && e.Source == t.source && e.Timestamp.Equal(instant(e.ID)) &&
		sameJSON(payload, []byte(e.Payload)) && sameJSON([]byte("{}"), []byte(e.Metadata)), scratch
}

// sameJSON compares what two texts say. A database may space them otherwise,
// and then at most order members otherwise.
func sameJSON(sent, stored []byte) bool {
	var compact bytes.Buffer
	compact.Grow(len(stored))
	if json.Compact(&compact, stored) != nil {
		return false
	}
	if bytes.Equal(sent, compact.Bytes()) {
		return true
	}
	var a, b any
	return json.Unmarshal(sent, &a) == nil && json.Unmarshal(stored, &b) == nil && reflect.DeepEqual(a, b)
}

// newID returns a UUIDv7 of the instant at, to the microsecond, that the chance
// of its last eight bytes makes unique.
func newID(at time.Time, chance uint64) uuid.UUID {
	var id uuid.UUID
	micro := uint64(at.UnixMicro())
	// The fraction of the millisecond, in the twelve bits that follow it.
	binary.BigEndian.PutUint64(id[:8], micro/1000<<16|0x7000|micro%1000<<2)
	binary.BigEndian.PutUint64(id[8:], chance&^(0b11<<62)|0b10<<62)
	return id
}

// instant is when an id of newID was made.
func instant(id uuid.UUID) time.Time {
	text := binary.BigEndian.Uint64(id[:8])
	return time.UnixMicro(int64(text>>16*1000 + text&0xfff>>2)).UTC()
}

func putUUID(dst []byte, id uuid.UUID) {
	hex.Encode(dst[0:8], id[0:4])
	hex.Encode(dst[9:13], id[4:6])
	hex.Encode(dst[14:18], id[6:8])
	hex.Encode(dst[19:23], id[8:10])
	hex.Encode(dst[24:36], id[10:16])
	dst[8], dst[13], dst[18], dst[23] = '-', '-', '-', '-'
}

// putDigits writes the last digits of n over all of dst.
func putDigits(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}
