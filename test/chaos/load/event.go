package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Event is one event as a producer makes it.
type Event struct {
	Number   uint32
	ID       uuid.UUID // zero when it is left to be minted
	Type     string
	Source   string    // begins with the number, see [NumberOf]
	Time     time.Time // cut to the microsecond
	Payload  string    // JSON text; "{}" when it is left out
	Metadata string    // likewise
	Body     string    // JSON text of the whole
}

// Maker makes events. The same maker makes the same event of a number every
// time. It is a value, safe for concurrent use.
type Maker struct {
	Seed uint64
	// Padding is how many bytes of filling each payload has on top.
	Padding int
	// Minted is the share of events that leave the id to be minted, 0 to 1.
	Minted float64
}

// Make makes the event with the number.
func (m Maker) Make(number uint32) Event {
	rng := rand.New(rand.NewPCG(m.Seed, uint64(number)))
	e := Event{Number: number, Type: pick(rng, eventTypes), Source: fmt.Sprintf("%s%d:%s", sourcePrefix, number, pick(rng, sourceEnds))}
	id := randomID(rng)
	if rng.Float64() >= m.Minted {
		e.ID = id
	}
	var timestamp string
	e.Time, timestamp = randomTime(rng)
	payload, metadata := m.payload(rng, number), ""
	switch rng.IntN(4) {
	case 0:
	case 1:
		metadata = "{}"
	default:
		metadata = object(rng, rng.IntN(3), "")
	}
	e.Body = e.body(rng, timestamp, payload, metadata)
	e.Payload, e.Metadata = orEmpty(payload), orEmpty(metadata)
	return e
}

const sourcePrefix = "c:"

// NumberOf reads the number of the event from its source.
func NumberOf(source string) (uint32, bool) {
	rest, ok := strings.CutPrefix(source, sourcePrefix)
	digits, _, found := strings.Cut(rest, ":")
	if !ok || !found {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil
}

func (m Maker) payload(rng *rand.Rand, number uint32) string {
	if m.Padding == 0 && rng.IntN(16) == 0 {
		return ""
	}
	first := fmt.Sprintf(`"n":%d`, number)
	if m.Padding > 0 {
		first += `,"padding":"` + filling(rng, m.Padding) + `"`
	}
	return object(rng, rng.IntN(4), first)
}

// filling is text that does not compress well.
func filling(rng *rand.Rand, n int) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	return string(b)
}

// object writes a JSON object of first and so many members with hard values.
func object(rng *rand.Rand, members int, first string) string {
	var b strings.Builder
	b.WriteString("{")
	b.WriteString(first)
	for i := range members {
		if i > 0 || first != "" {
			b.WriteString(pick(rng, []string{",", ", ", " ,\n\t"}))
		}
		// The position makes names differ: a repeated one is refused.
		b.WriteString(`"` + strconv.Itoa(i) + pick(rng, hardNames) + `":` + pick(rng, hardValues))
	}
	b.WriteString("}")
	return b.String()
}

func (e Event) body(rng *rand.Rand, timestamp, payload, metadata string) string {
	members := []string{
		`"event_type":` + quote(e.Type),
		`"source":` + quote(e.Source),
		`"timestamp":` + quote(timestamp),
	}
	if e.ID != uuid.Nil {
		id := e.ID.String()
		if rng.IntN(16) == 0 {
			id = strings.ToUpper(id)
		}
		members = append(members, `"event_id":"`+id+`"`)
	}
	if payload != "" {
		members = append(members, `"payload":`+payload)
	}
	if metadata != "" {
		members = append(members, `"metadata": `+metadata)
	}
	rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

// randomTime returns an instant and one of the ways to write it.
func randomTime(rng *rand.Rand) (time.Time, string) {
	const year2100 = 4102444800
	t := time.Unix(rng.Int64N(year2100), 0).UTC()
	layout, extra := "2006-01-02T15:04:05", ""
	switch rng.IntN(4) {
	case 0:
	case 1:
		t = t.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
		layout += ".000"
	case 2:
		t = t.Add(time.Duration(rng.IntN(1_000_000)) * time.Microsecond)
		layout += ".000000"
	default:
		t = t.Add(time.Duration(rng.IntN(1_000_000)) * time.Microsecond)
		layout += ".000000"
		extra = "999" // beyond the microsecond, cut and not rounded
	}
	offset := pick(rng, []int{0, 0, 0, 5*3600 + 1800, -8 * 3600, 14 * 3600})
	local := t.In(time.FixedZone("", offset))
	return t, local.Format(layout) + extra + local.Format("Z07:00")
}

func randomID(rng *rand.Rand) uuid.UUID {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// quote writes s as a JSON string. It cannot fail on a string.
func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func orEmpty(object string) string {
	if object == "" {
		return "{}"
	}
	return object
}
