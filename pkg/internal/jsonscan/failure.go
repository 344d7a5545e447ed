package jsonscan

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// failure is why and where a scanner gave up on its text.
type failure struct {
	// at is the offset of the offending byte, why says what is wrong there.
	at  int
	why string
	// path leads from the innermost value known to the outermost.
	path []string
}

// Fail records the failure and returns the offset that stands for it.
func (s *Scanner) Fail(i int, why string) int {
	s.failure = failure{at: i, why: why}
	return -1
}

// Expected fails on what stands at i where something else should.
func (s *Scanner) Expected(i int, what string) int {
	return s.Fail(i, "expected "+what+", found "+s.quoteByte(i))
}

func (s *Scanner) tooDeep(i int) int {
	return s.Fail(i, fmt.Sprintf("nested deeper than %d levels", s.maxDepth))
}

// noValue fails on what stands at i where a value should, with a hint for the
// usual mistakes.
func (s *Scanner) noValue(i int) int {
	const byteOrderMark = "\ufeff"
	switch rest := s.text[i:]; {
	case strings.HasPrefix(rest, byteOrderMark):
		return s.Fail(i, "a byte order mark is not allowed")
	case strings.HasPrefix(rest, "/"):
		return s.Fail(i, "comments are not allowed")
	case strings.HasPrefix(rest, "N"), strings.HasPrefix(rest, "I"):
		return s.Fail(i, "NaN and Infinity are not JSON numbers")
	}
	return s.Expected(i, "a value")
}

// Inside adds a step, a name or an index, to the path of the failure while it
// is passed outwards.
func (s *Scanner) Inside(step string) int {
	s.failure.path = append(s.failure.path, step)
	return -1
}

// Problem is why a text is not accepted.
type Problem struct {
	// Pointer is the RFC 6901 JSON Pointer of the innermost value known to be
	// at fault.
	Pointer string
	// Detail says what is wrong and at which byte, line and column.
	Detail string
}

// Problem describes the failure.
func (s *Scanner) Problem() Problem {
	before := s.text[:s.failure.at]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[1+strings.LastIndexByte(before, '\n'):])
	return Problem{
		Pointer: Pointer(s.failure.path),
		Detail:  fmt.Sprintf("%s, at byte %d (line %d, column %d)", s.failure.why, s.failure.at, line, column),
	}
}

// maxPointer bounds a pointer, in bytes. A longer one stops at the last step
// that fits: still true, only less precise.
const maxPointer = 1024

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// Pointer returns the JSON Pointer (RFC 6901) of a path that is given innermost
// first.
func Pointer(path []string) string {
	var p []byte
	for _, name := range slices.Backward(path) {
		step := pointerEscapes.Replace(name)
		if len(p)+1+len(step) > maxPointer {
			break
		}
		p = append(append(p, '/'), step...)
	}
	return string(p)
}
