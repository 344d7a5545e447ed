package jsonscan

import "strconv"

// Scanner walks over one JSON text and decides whether EventPulse accepts it.
//
// A method that scans takes the offset to start from and returns the offset
// after what it scanned, or a negative one when the text is not accepted.
// Offsets travel in registers, and nothing is allocated for text without
// escaped names or very large objects. The method that fails records where and
// why; every level that it unwinds through adds its own step with
// [Scanner.Inside], so the place of a failure costs nothing until there is one.
// After a failure only [Scanner.Problem] may be called.
//
// A Scanner must not be used concurrently.
type Scanner struct {
	text     string
	maxDepth int
	names    names
	failure  failure
}

// New returns a scanner of text that accepts at most maxDepth levels of nested
// objects and arrays.
func New(text string, maxDepth int) Scanner {
	return Scanner{text: text, maxDepth: maxDepth, names: newNames(len(text))}
}

// At returns the byte at i, or zero past the end. Zero is no part of any
// token, so only a failure has to tell the two apart.
func (s *Scanner) At(i int) byte {
	if uint(i) < uint(len(s.text)) {
		return s.text[i]
	}
	return 0
}

// WhiteSpace is all the white space of JSON (RFC 8259, section 2).
const WhiteSpace = " \n\t\r"

// Space skips white space.
func (s *Scanner) Space(i int) int {
	if s.At(i) > ' ' {
		return i
	}
	return s.skipSpace(i)
}

func (s *Scanner) skipSpace(i int) int {
	for {
		switch s.At(i) {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
}

// Value scans one value at i. An object or array there would be at the given
// depth of nesting.
func (s *Scanner) Value(i, depth int) int {
	switch s.At(i) {
	case '"':
		end, _ := s.Text(i)
		return end
	case '{':
		return s.object(i, depth)
	case '[':
		return s.array(i, depth)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number(i)
	}
	return s.noValue(i)
}

func (s *Scanner) literal(i int, want string) int {
	if end := i + len(want); end <= len(s.text) && s.text[i:end] == want {
		return end
	}
	matched := 0
	for s.At(i+matched) == want[matched] {
		matched++
	}
	return s.Expected(i+matched, want)
}

// object scans the object that opens at i.
func (s *Scanner) object(i, depth int) int {
	if depth > s.maxDepth {
		return s.tooDeep(i)
	}
	scope := s.OpenObject()
	i, more := s.First(i, '}')
	for more {
		var name string
		if name, i = s.Member(i, scope); i < 0 {
			return i
		}
		if i = s.Value(i, depth+1); i < 0 {
			return s.Inside(name)
		}
		i, more = s.Next(i, '}')
	}
	s.CloseObject(scope)
	return i
}

// array scans the array that opens at i.
func (s *Scanner) array(i, depth int) int {
	if depth > s.maxDepth {
		return s.tooDeep(i)
	}
	i, more := s.First(i, ']')
	for n := 0; more; n++ {
		if i = s.Value(i, depth+1); i < 0 {
			return s.Inside(strconv.Itoa(n))
		}
		i, more = s.Next(i, ']')
	}
	return i
}

// First steps into the object or array that opens at i: to its first member
// or element, or past its end when there is none.
func (s *Scanner) First(i int, closing byte) (at int, more bool) {
	i = s.Space(i + 1)
	if s.At(i) == closing {
		return i + 1, false
	}
	return i, true
}

// Next steps from the end of a member or element, at i, to the start of the
// one that follows, or past the end of the object or array.
func (s *Scanner) Next(i int, closing byte) (at int, more bool) {
	i = s.Space(i)
	switch s.At(i) {
	case ',':
		return s.Space(i + 1), true
	case closing:
		return i + 1, false
	}
	if closing == '}' {
		return s.Expected(i, "',' or '}' after the member"), false
	}
	return s.Expected(i, "',' or ']' after the element"), false
}

// Member scans a member's name and colon, and returns the name with its
// escapes resolved and where its value starts.
func (s *Scanner) Member(i int, scope Scope) (name string, value int) {
	if s.At(i) != '"' {
		return "", s.Expected(i, "a member's name in double quotes")
	}
	end, escaped := s.Text(i)
	if end < 0 {
		return "", end
	}
	name = s.Content(i, end, escaped)
	if !s.addName(scope, i, name) {
		s.Fail(i, "duplicate member name")
		return "", s.Inside(name)
	}
	i = s.Space(end)
	if s.At(i) != ':' {
		s.Expected(i, "':' after the member's name")
		return "", s.Inside(name)
	}
	return name, s.Space(i + 1)
}
