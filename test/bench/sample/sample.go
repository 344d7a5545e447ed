// Package sample makes the events that are measured with: of ordinary size,
// all different, and always the same for the same number, so that EventPulse
// and what it is compared to are given the same.
package sample

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Maker makes events. The zero Maker's are of about 230 bytes as JSON.
type Maker struct {
	// Payload, where it is not 0, is how many bytes each payload has.
	Payload int
}

// Many events share few types and sources, as they do in life.
var (
	types   = []string{"order.created", "order.paid", "order.shipped", "cart.updated", "page.viewed", "user.signed_up", "user.logged_in", "search.made"}
	sources = []string{"shop/checkout", "shop/catalogue", "web/frontend", "ios/app", "android/app"}
)

// begin is when event 0 happened; the others follow, or precede where their
// number is negative, at 50,000 a second.
var begin = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

const apart = 20 * time.Microsecond

func kind(n int) string   { return types[(n%len(types)+len(types))%len(types)] }
func source(n int) string { return sources[(n%len(sources)+len(sources))%len(sources)] }

// timeFormat has digits enough for a microsecond, always, so that all events
// are of one size.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// Happened returns the event's timestamp, which no other event has.
func Happened(n int) time.Time { return begin.Add(time.Duration(n) * apart) }

// ID returns the event's id, a UUIDv7 of the time that it happened, larger
// than those of lower numbers.
func ID(n int) string {
	var id uuid.UUID
	nanos := Happened(n).UnixNano()
	milli, rest := uint64(nanos)/1e6, uint64(nanos)%1e6
	binary.BigEndian.PutUint64(id[:8], milli<<16|0x7000|rest<<12/1e6)
	binary.BigEndian.PutUint64(id[8:], mix(uint64(n))&^(3<<62)|1<<63)
	return id.String()
}

// mix spreads a number over 64 bits (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const metadata = `{"v":1}`

func (m Maker) payload(n int) string {
	text := `{"order":` + strconv.Itoa(10_000_000+(n%1_000_000+1_000_000)%1_000_000) + `,"total":99.95,"currency":"EUR","note":"`
	const end = `"}`
	note := "gift wrapped, and not before ten, please"
	if m.Payload > 0 {
		const words = "the quick brown fox jumps over the lazy dog and runs away; "
		room := max(0, m.Payload-len(text)-len(end))
		note = strings.Repeat(words, room/len(words)+1)[:room]
	}
	return text + note + end
}

// JSON returns the event as a producer posts it, without an id.
func (m Maker) JSON(n int) string {
	return `{"event_type":"` + kind(n) + `","source":"` + source(n) + `","timestamp":"` + Happened(n).Format(timeFormat) +
		`","payload":` + m.payload(n) + `,"metadata":` + metadata + `}`
}

// Batch returns count events from number n on as one array.
func (m Maker) Batch(n, count int) string {
	var b strings.Builder
	for i := range count {
		b.WriteByte("[,"[min(i, 1)])
		b.WriteString(m.JSON(n + i))
	}
	return b.String() + "]"
}

// Fields returns the event as it travels on the stream: names and values
// alternating.
func (m Maker) Fields(n int) []string {
	return []string{
		"event_id", ID(n), "event_type", kind(n), "source", source(n),
		"timestamp", Happened(n).Format(timeFormat), "payload", m.payload(n), "metadata", metadata,
	}
}

// WriteRows writes count events from number n on, in steps of step, as rows of
// PostgreSQL's text format.
func (m Maker) WriteRows(w io.Writer, n, count, step int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	for i := range count {
		f := m.Fields(n + i*step)
		_, err := fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", f[1], f[3], f[5], f[7], f[9], f[11])
		if err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}
