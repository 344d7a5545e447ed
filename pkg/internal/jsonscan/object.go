package jsonscan

import "strings"

// Object is the JSON text of one object, which may have been scanned already.
// The zero Object is the empty object.
type Object struct {
	text    string
	scanned bool
}

// emptyObject is the text of the zero Object.
const emptyObject = "{}"

// Unscanned returns text as an object that [Object.Scan] has yet to accept.
func Unscanned(text string) Object { return Object{text: text} }

// String returns the object's text.
func (o Object) String() string {
	if o.text == "" && !o.scanned {
		return emptyObject
	}
	return o.text
}

// Scan returns the object without white space around it if it is accepted as
// standing at the given depth of nesting. An object that a [Scanner] returned is
// not scanned again.
func (o Object) Scan(depth, maxDepth int) (Object, *Problem) {
	if o.scanned || o.text == "" {
		return Object{text: o.String(), scanned: true}, nil
	}
	text := strings.Trim(o.text, WhiteSpace)
	s := New(text, maxDepth)
	i := 0
	if s.At(0) != '{' {
		i = s.Expected(0, "a JSON object")
	} else if i = s.object(0, depth); i >= 0 && i < len(text) {
		i = s.Expected(i, "nothing after the object")
	}
	if i < 0 {
		p := s.Problem()
		return Object{}, &p
	}
	return Object{text: text, scanned: true}, nil
}

// Object scans the value at i, which opens with a brace, and returns its text.
func (s *Scanner) Object(i, depth int) (o Object, end int) {
	if end = s.object(i, depth); end < 0 {
		return Object{}, end
	}
	return Object{text: s.text[i:end], scanned: true}, end
}
