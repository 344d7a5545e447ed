package store_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// generator writes the JSON of an event, making every choice by a byte that
// the fuzzer owns. Mutated as text, an event is hardly ever one any more;
// mutated as choices it stays one, on the border of what is accepted.
type generator struct {
	choices []byte
	strings.Builder
}

func generate(choices []byte) string {
	g := &generator{choices: choices}
	g.event()
	return g.String()
}

// pick returns a number below n; 0, the simplest choice, when none are left.
func (g *generator) pick(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := g.choices[0]
	g.choices = g.choices[1:]
	return int(c) % n
}

// rarely is true for one byte in 256.
func (g *generator) rarely() bool { return g.pick(256) == 255 }

func (g *generator) of(options ...string) { g.WriteString(options[g.pick(len(options))]) }

func (g *generator) event() {
	g.WriteString(`{"event_type":`)
	g.text(1 + g.pick(8))
	g.WriteString(`,"source":`)
	g.text(1 + g.pick(8))
	g.WriteString(`,"timestamp":"`)
	g.timestamp()
	g.WriteString(`"`)
	if g.pick(4) == 1 {
		g.WriteString(`,"event_id":"`)
		for i := range 36 {
			if i == 8 || i == 13 || i == 18 || i == 23 {
				g.WriteByte('-')
			} else {
				g.WriteByte("0123456789abcdefABCDEF"[g.pick(22)])
			}
		}
		g.WriteString(`"`)
	}
	g.WriteString(`,"payload":`)
	g.object(0)
	if g.pick(2) == 1 {
		g.WriteString(`,"metadata":`)
		g.object(0)
	}
	g.WriteString(`}`)
}

func (g *generator) timestamp() {
	year := []int{2026, 1, 0, 9999, 4, 100, 1582, 1900, 1970, 2000, 2038, g.pick(256) * 39}[g.pick(12)]
	month := 1 + g.pick(12)
	last := []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		last = 29
	}
	fmt.Fprintf(g, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, []int{last, 1 + g.pick(last)}[g.pick(2)], g.pick(24), g.pick(60), g.pick(60))
	if n := g.pick(13); n > 0 {
		g.WriteByte('.')
		for range n {
			g.WriteByte("0159"[g.pick(4)])
		}
	}
	if g.pick(2) == 0 {
		g.WriteByte('Z')
		return
	}
	fmt.Fprintf(g, "%c%02d:%02d", "+-"[g.pick(2)], g.pick(24), g.pick(60))
}

func (g *generator) object(depth int) {
	g.of("{", "{ ", "{\n\t")
	for i := range g.pick(6) {
		if i > 0 {
			g.of(",", " , ", ",\r\n")
		}
		if g.pick(4) > 0 { // mostly a key of its own
			g.WriteString(`"` + strconv.Itoa(i) + `":`)
		} else {
			g.text(g.pick(5))
			g.of(":", " : ")
		}
		g.value(depth + 1)
	}
	g.WriteString("}")
}

func (g *generator) value(depth int) {
	kind := g.pick(8)
	if depth > 70 {
		kind = 0
	}
	switch kind {
	case 0:
		g.of("0", "null", "true", "false", "[]", "{}", `""`)
	case 1, 2:
		g.text(g.pick(40))
	case 3, 4:
		g.number()
	case 5:
		g.object(depth)
	case 6:
		g.WriteString("[")
		for i := range g.pick(6) {
			if i > 0 {
				g.WriteString(",")
			}
			g.value(depth + 1)
		}
		g.WriteString("]")
	case 7: // straight down
		n := g.pick(70)
		g.WriteString(strings.Repeat("[", n))
		g.value(depth + n)
		g.WriteString(strings.Repeat("]", n))
	}
}

func (g *generator) text(parts int) {
	g.WriteByte('"')
	for range parts {
		switch g.pick(6) {
		case 0:
			const plain = " abcxyzABC019_-.,:;{}[]()'`?$%&*+=<>|~^#@!/\x7f"
			g.WriteByte(plain[g.pick(len(plain))])
		case 1:
			g.of(`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `''`, `\\\"`, `\\u0000`, `\\'`)
		case 2:
			g.of(`?0`, `??`, `$1`, `'; DROP TABLE events; --`, `NULL`, `{a,b}`, `E'`, `/*`, `::jsonb`, `$$`, `:name`)
		case 3: // any character, as it is
			r := rune(g.pick(256))<<12 | rune(g.pick(256))<<4 | rune(g.pick(16))
			if r < ' ' || r == '"' || r == '\\' || r > utf8.MaxRune || !utf8.ValidRune(r) {
				r = 'é'
			}
			g.WriteRune(r)
		case 4: // any of the first plane, escaped; surrogates in pairs
			r := g.pick(256)<<8 | g.pick(256)
			switch {
			case r == 0 && !g.rarely():
				r = 1
			case r >= 0xd800 && r < 0xdc00:
				fmt.Fprintf(g, `\u%04x`, r)
				r = 0xdc00 | r&0x3ff
			case r >= 0xdc00 && r < 0xe000 && !g.rarely():
				r = 0xfffd
			}
			fmt.Fprintf(g, []string{`\u%04x`, `\u%04X`}[g.pick(2)], r)
		case 5:
			if g.rarely() {
				g.WriteString(strings.Repeat("x", 300)) // longer than a name may be
			} else {
				g.of("\u2028", "😀", "\u0085", "e\u0301", "\ufeff", "\uffff", "\U0010ffff", "ß")
			}
		}
	}
	g.WriteByte('"')
}

func (g *generator) number() {
	g.of("", "-")
	if g.pick(3) == 0 {
		g.WriteByte('0')
	} else {
		g.WriteByte("123456789"[g.pick(9)])
		for range g.pick(40) {
			g.WriteByte("0123456789"[g.pick(10)])
		}
	}
	if g.pick(3) == 1 {
		g.WriteByte('.')
		for range 1 + g.pick(30) {
			g.WriteByte("0123456789"[g.pick(10)])
		}
	}
	if g.pick(3) == 1 {
		g.of("e", "E", "e+", "e-", "E-")
		fmt.Fprint(g, []int{g.pick(256), 4 * g.pick(256), 999, 1000, 1001}[g.pick(5)])
	}
}

func TestGenerate_IsMostlyAnEvent(t *testing.T) {
	accepted := 0
	state := uint32(1)
	for range 1000 {
		choices := make([]byte, 400)
		for i := range choices { // a plain congruential generator, the same every time
			state = state*1664525 + 1013904223
			choices[i] = byte(state >> 24)
		}
		if _, err := native.Parse(generate(choices), event.DefaultLimits()); err == nil {
			accepted++
		}
	}
	require.Greater(t, accepted, 500)
	require.Less(t, accepted, 1000, "it never leaves the safe ground")
}
