package jsonscan

import (
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Text scans the string that opens at i, and reports whether it holds escapes.
func (s *Scanner) Text(i int) (end int, escaped bool) {
	text := s.text
	i++
	for {
		// Most strings are plain ASCII: go over them a word at a time.
		for i+8 <= len(text) {
			if found := special(word(text, i)); found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		switch c := s.At(i); {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			if i = s.escape(i); i < 0 {
				return i, false
			}
			escaped = true
		case c >= utf8.RuneSelf:
			if i = s.runes(i); i < 0 {
				return i, false
			}
		case c >= ' ':
			i++ // the last few bytes of the text
		case i >= len(text):
			return s.Expected(i, "the end of a string"), false
		default:
			return s.Fail(i, "a control character must be escaped in a string"), false
		}
	}
}

// Content returns what the string between i and end says, escapes resolved.
func (s *Scanner) Content(i, end int, escaped bool) string {
	text := s.text[i+1 : end-1]
	if escaped {
		text = unescape(text)
	}
	return text
}

// word returns the eight bytes at i, the first one lowest. The compiler makes
// one load of it.
func word(text string, i int) uint64 {
	b := text[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// special returns a word whose lowest set bit is the high bit of the first
// byte in w that does not simply stand for itself in a string: a quote, a
// backslash, a control character or a byte past ASCII. It is zero when there is
// none (https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord). Bits above the lowest mean nothing, because a subtraction that borrows
// disturbs the bytes above it.
func special(w uint64) uint64 {
	const each = 0x0101010101010101
	quote, backslash := w^each*'"', w^each*'\\'
	return (w | (w - each*' ') | (quote - each) | (backslash - each)) & (each * 0x80)
}

// runes scans the characters past ASCII that start at i.
func (s *Scanner) runes(i int) int {
	for i < len(s.text) && s.text[i] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s.text[i:])
		if r == utf8.RuneError && size == 1 {
			return s.Fail(i, "invalid UTF-8")
		}
		i += size
	}
	return i
}

// escape scans the escape sequence that starts at i. It fails on what no
// PostgreSQL text can hold: U+0000, and surrogates without their other half
// (https://www.postgresql.org/docs/current/datatype-json.html).
func (s *Scanner) escape(i int) int {
	switch s.At(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
	default:
		return s.Expected(i+1, `one of "\/bfnrtu after a backslash`)
	}
	unit := hexUnit(s.text, i+2)
	switch {
	case unit < 0:
		return s.Fail(i, `\u needs four hexadecimal digits`)
	case unit == 0:
		return s.Fail(i, "U+0000 cannot be stored")
	case !isSurrogate(unit):
		return i + 6
	}
	if unit < lowSurrogate && s.At(i+6) == '\\' && s.At(i+7) == 'u' {
		if low := hexUnit(s.text, i+8); low >= lowSurrogate && isSurrogate(low) {
			return i + 12
		}
	}
	return s.Fail(i, "a surrogate without its other half is not a character")
}

// Surrogates are the UTF-16 code units from highSurrogate up to but not
// including endSurrogate; from lowSurrogate on they are second halves.
const (
	highSurrogate = 0xd800
	lowSurrogate  = 0xdc00
	endSurrogate  = 0xe000
)

func isSurrogate(unit int) bool { return unit >= highSurrogate && unit < endSurrogate }

// hexUnit reads the four hexadecimal digits at i; it is negative when they are
// something else.
func hexUnit(text string, i int) int {
	if i+4 > len(text) {
		return -1
	}
	unit := 0
	for _, c := range []byte(text[i : i+4]) {
		switch {
		case isDigit(c):
			unit = unit<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			unit = unit<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return unit
}

// unescape resolves the escapes of a string that was scanned, given without
// its quotes.
func unescape(text string) string {
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		if c != '\\' {
			plain = append(plain, c)
			i++
			continue
		}
		c = text[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hexUnit(text, i)
			i += 4
			if isSurrogate(r) {
				low := hexUnit(text, i+2)
				i += 6
				r = 0x10000 + (r-highSurrogate)<<10 + (low - lowSurrogate)
			}
			plain = utf8.AppendRune(plain, rune(r))
			continue
		}
		plain = append(plain, c)
	}
	return string(plain)
}

// quoteByte names what stands at i, for a person.
func (s *Scanner) quoteByte(i int) string {
	if i >= len(s.text) {
		return "the end of the text"
	}
	r, size := utf8.DecodeRuneInString(s.text[i:])
	if r == utf8.RuneError && size == 1 {
		return "byte 0x" + strconv.FormatUint(uint64(s.text[i]), 16)
	}
	return strconv.QuoteRune(r)
}
