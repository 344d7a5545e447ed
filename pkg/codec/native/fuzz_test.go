package native_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// tight are limits so narrow that small inputs meet them.
func tight() event.Limits {
	return event.Limits{MaxEventBytes: 400, MaxBatchEvents: 3, MaxDepth: 5, MaxProblems: 4}
}

// seeds are small bodies of every sort, most of them rejected.
func seeds() []string {
	bodies := []string{
		small, smallNoID, "{" + goodHead + "}",
		payload(`[0,-1.5e3,true,false,null,"\ud83d\ude00\\u0000é😀"]`),
		payload(`1e1000`), payload(`1e-1001`), payload(`{"a":{"b":[[1]]}}`),
		with(`"pay\u006coad":{"":1,"a":{"":2}}`),
		`{"extra":1,"timestamp":"no","payload":[],"event_id":"no","more/":{"a":1},"source":""}`,
		fields(`"\u00e9"`, `"\ud83d\ude00"`, `"2016-12-31T18:59:60.5-05:00"`),
	}
	for _, r := range invalid {
		if len(r.body) < 500 {
			bodies = append(bodies, r.body)
		}
	}
	return bodies
}

func FuzzParse(f *testing.F) {
	for _, body := range seeds() {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		compareParse(t, body, event.DefaultLimits())
		compareParse(t, body, tight())
	})
}

func FuzzParseBatch(f *testing.F) {
	for _, body := range seeds() {
		f.Add("[" + body + "]")
		f.Add("[" + smallNoID + " , " + body + "]")
	}
	short := `{"event_type":"t","source":"s","timestamp":"` + goodTime + `"}`
	f.Add("[" + short + "," + short + "," + short + "]")
	f.Add("[" + short + "," + short + "," + short + "," + short + "]")
	f.Add("[" + small + "," + small + "]")
	f.Add("[" + small + "," + strings.Replace(small, "order.created", "order.changed", 1) + "]")
	f.Add("[{},{},{},")
	f.Add("[]")
	f.Fuzz(func(t *testing.T, body string) {
		compareParseBatch(t, body, event.DefaultLimits())
		compareParseBatch(t, body, tight())
	})
}

// TestParse_AgreesWithTheOracleOnRandomBodies generates events, spoils most of them a little,
// and holds the outcome against the expectation.
func TestParse_AgreesWithTheOracleOnRandomBodies(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	g := generator{rand.New(rand.NewPCG(1, 2))}
	for range n {
		l := event.DefaultLimits()
		if g.chance(3) {
			l = tight()
		}
		compareParse(t, g.spoil(g.event()), l)
		compareParseBatch(t, g.spoil(g.batch()), l)
	}
}

// generator makes events out of all that JSON has, in the proportions that
// decoders get wrong.
type generator struct{ *rand.Rand }

func (g generator) chance(oneIn int) bool { return g.IntN(oneIn) == 0 }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) space() string {
	if !g.chance(8) {
		return ""
	}
	return g.pick(" ", "\n", "\t", "\r\n", "   \n        ")
}

func (g generator) batch() string {
	events := make([]string, g.IntN(6))
	for i := range events {
		events[i] = g.space() + g.event() + g.space()
	}
	return g.space() + "[" + strings.Join(events, ",") + g.space() + "]" + g.space()
}

func (g generator) event() string {
	var members []string
	add := func(oneIn int, name string, value func() string) {
		if oneIn == 0 || g.chance(oneIn) {
			members = append(members, g.space()+`"`+name+`"`+g.space()+":"+g.space()+value()+g.space())
		}
	}
	orOther := func(value func() string) func() string {
		return func() string {
			if g.chance(40) {
				return g.value(3)
			}
			return value()
		}
	}
	object := func() string { return g.object(3) }
	add(2, "event_id", orOther(g.id))
	add(0, g.pick("event_type", "event_type", "event\\u005ftype"), orOther(g.text))
	add(0, "source", orOther(g.text))
	add(0, "timestamp", orOther(g.time))
	add(2, "payload", orOther(object))
	add(2, "metadata", orOther(object))
	add(30, "extra", object)
	add(60, "source", g.text)
	g.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
	if g.chance(40) {
		members = members[1:]
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g generator) id() string {
	if g.chance(10) {
		return `"0190b3a8-7c00-7d3e-8a51-2f6b9c4d1e70"` // of another event as well
	}
	return fmt.Sprintf(`"%08x-%04X-%04x-%04x-%012x"`, g.Uint32(), g.IntN(1<<16), g.IntN(1<<16), g.IntN(1<<16), g.Int64N(1<<48))
}

func (g generator) time() string {
	return fmt.Sprintf(`"%04d-%02d-%02d%s%02d:%02d:%02d%s%s"`, g.IntN(10000), 1+g.IntN(12), 1+g.IntN(29), g.pick("T", "t"),
		g.IntN(24), g.IntN(60), g.IntN(60), g.pick("", ".5", ".123456", ".9999999999"), g.pick("Z", "z", "+05:30", "-11:00"))
}

func (g generator) text() string {
	var s strings.Builder
	for range 1 + g.IntN(12) {
		s.WriteString(g.pick("a", "word", "and more words", `\n`, `\"`, `\\`, `\/`, `\u00e9`, `\ud83d\ude00`, `\\u0000`,
			"é", "€", "😀", "\u2028", "\x7f", " ", "'", "?0", g.pick("", "", "", `\u0000`), g.pick("", "", "", `\ud83d`)))
	}
	return `"` + s.String() + `"`
}

func (g generator) value(depth int) string {
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch g.IntN(kinds) {
	case 0:
		return g.text()
	case 1:
		return g.pick("true", "false", "null")
	case 2:
		return strconv.FormatFloat(g.NormFloat64()*1e6, g.pick("e", "E", "f", "g")[0], -1, 64)
	case 3:
		return g.pick("0", "-0", "1e1000", "1E-1000", "123456789012345678901234567890", "0.10", "1e+05", g.pick("0", "0", "1e1001", "01", "1."))
	case 4:
		return strconv.Itoa(g.IntN(1000))
	case 5:
		return g.object(depth)
	}
	values := make([]string, g.IntN(5))
	for i := range values {
		values[i] = g.space() + g.value(depth-1) + g.space()
	}
	return "[" + strings.Join(values, ",") + "]"
}

func (g generator) object(depth int) string {
	names := g.IntN(5)
	if g.chance(30) {
		names = 20 + g.IntN(300) // past the point where names get a table
	}
	members := make([]string, names)
	for i := range members {
		members[i] = fmt.Sprintf(`"n%d"%s:%s`, i, g.space(), g.value(depth-1))
	}
	if names > 0 && g.chance(30) {
		members = append(members, fmt.Sprintf(`"%s":1`, g.pick("n", `\u006e`)+strconv.Itoa(g.IntN(2*names))))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// spoil changes a few bytes of three bodies in four.
func (g generator) spoil(body string) string {
	b := []byte(body)
	if g.chance(4) {
		return body
	}
	for range 1 + g.IntN(2) {
		if len(b) == 0 {
			break
		}
		i := g.IntN(len(b))
		switch g.IntN(5) {
		case 0:
			b = b[:i]
		case 1:
			b = append(b[:i], b[i+1:]...)
		case 2:
			b[i] = byte(g.IntN(256))
		case 3:
			b[i] = g.pick(`"`, `\`, "{", "}", "[", "]", ",", ":", "0", "e", ".", " ", "\x00", "\xff")[0]
		case 4:
			k := g.IntN(len(b))
			b[i], b[k] = b[k], b[i]
		}
	}
	return string(b)
}
