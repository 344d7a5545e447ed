package event

import "strconv"

// scanner walks over JSON text and decides whether it is JSON as EventPulse
// accepts it: RFC 8259 in valid UTF-8, and beyond that nothing PostgreSQL's
// jsonb would refuse or lose. It builds nothing: what the event rules in
// parse.go want of a value is a piece of the text itself.
//
// It is one recursive descent. Every method that scans takes the position to
// start from and returns the position after what it scanned, or a negative one
// when the text is refused; positions travel in registers, and nothing is
// allocated for text without escaped names or huge objects. The one that
// refuses notes where and why; every level it then unwinds through adds its own
// step to the path, so knowing the place costs nothing until it is needed
// (failure.go). After a refusal the scanner is of no further use.
//
//	scan.go    values, objects, arrays, literals
//	text.go    strings, eight bytes at a time
//	number.go  numbers, and which of them PostgreSQL can hold
//	names.go   duplicate names
type scanner struct {
	text     string
	maxDepth int
	names    names
	failure  failure
}

func newScanner(text string, maxDepth int) scanner {
	return scanner{text: text, maxDepth: maxDepth, names: newNames(len(text))}
}

// at returns the byte at i, or zero past the end. Zero is no part of any
// token, so only a refusal has to tell the two apart.
func (s *scanner) at(i int) byte {
	if uint(i) < uint(len(s.text)) {
		return s.text[i]
	}
	return 0
}

// whiteSpace is all the white space of JSON.
const whiteSpace = " \n\t\r"

// space skips white space.
func (s *scanner) space(i int) int {
	if s.at(i) > ' ' {
		return i
	}
	return s.skipSpace(i)
}

func (s *scanner) skipSpace(i int) int {
	for {
		switch s.at(i) {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
}

// value scans one value at i. An object or array there would be at the given
// depth of nesting.
func (s *scanner) value(i, depth int) int {
	switch s.at(i) {
	case '"':
		end, _ := s.string(i)
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

func (s *scanner) literal(i int, want string) int {
	if end := i + len(want); end <= len(s.text) && s.text[i:end] == want {
		return end
	}
	matched := 0
	for s.at(i+matched) == want[matched] {
		matched++
	}
	return s.expected(i+matched, want)
}

// object scans the object that opens at i.
func (s *scanner) object(i, depth int) int {
	if depth > s.maxDepth {
		return s.tooDeep(i)
	}
	scope := s.names.open()
	i, more := s.first(i, '}')
	for more {
		var name string
		if name, i = s.member(i, scope); i < 0 {
			return i
		}
		if i = s.value(i, depth+1); i < 0 {
			return s.inside(name)
		}
		i, more = s.next(i, '}')
	}
	s.names.close(scope)
	return i
}

// array scans the array that opens at i.
func (s *scanner) array(i, depth int) int {
	if depth > s.maxDepth {
		return s.tooDeep(i)
	}
	i, more := s.first(i, ']')
	for n := 0; more; n++ {
		if i = s.value(i, depth+1); i < 0 {
			return s.inside(strconv.Itoa(n))
		}
		i, more = s.next(i, ']')
	}
	return i
}

// first steps into the object or array that opens at i: to its first member
// or element, or past its end when there is none.
func (s *scanner) first(i int, closing byte) (at int, more bool) {
	i = s.space(i + 1)
	if s.at(i) == closing {
		return i + 1, false
	}
	return i, true
}

// next steps from the end of a member or element, at i, to the start of the
// one that follows, or past the end of the object or array.
func (s *scanner) next(i int, closing byte) (at int, more bool) {
	i = s.space(i)
	switch s.at(i) {
	case ',':
		return s.space(i + 1), true
	case closing:
		return i + 1, false
	}
	if closing == '}' {
		return s.expected(i, "',' or '}' after the member"), false
	}
	return s.expected(i, "',' or ']' after the element"), false
}

// member scans a member's name and colon, and returns the name with its
// escapes resolved and where its value starts.
func (s *scanner) member(i int, scope nameScope) (name string, value int) {
	if s.at(i) != '"' {
		return "", s.expected(i, "a member's name in double quotes")
	}
	end, escaped := s.string(i)
	if end < 0 {
		return "", end
	}
	name = s.content(i, end, escaped)
	if !s.addName(scope, i, name) {
		s.refuse(i, "duplicate member name")
		return "", s.inside(name)
	}
	i = s.space(end)
	if s.at(i) != ':' {
		s.expected(i, "':' after the member's name")
		return "", s.inside(name)
	}
	return name, s.space(i + 1)
}
