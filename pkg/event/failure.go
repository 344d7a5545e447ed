package event

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// failure is why and where a scanner refused its text.
type failure struct {
	// at is the offset of the offending byte, why says what is wrong there.
	at  int
	why string
	// path leads from the innermost value known to the outermost.
	path []string
}

// refuse notes the failure and returns the position that stands for it.
func (s *scanner) refuse(i int, why string) int {
	s.failure = failure{at: i, why: why}
	return -1
}

// expected refuses what stands at i where something else should.
func (s *scanner) expected(i int, what string) int {
	return s.refuse(i, "expected "+what+", found "+s.quoteByte(i))
}

func (s *scanner) tooDeep(i int) int {
	return s.refuse(i, fmt.Sprintf("nested deeper than %d levels", s.maxDepth))
}

// noValue refuses what stands at i where a value should, with a hint for the
// usual mistakes.
func (s *scanner) noValue(i int) int {
	const byteOrderMark = "\ufeff"
	switch rest := s.text[i:]; {
	case rest == "" && s.space(0) == i:
		return s.refuse(i, "the body is empty")
	case strings.HasPrefix(rest, byteOrderMark):
		return s.refuse(i, "a byte order mark is not allowed")
	case strings.HasPrefix(rest, "/"):
		return s.refuse(i, "comments are not allowed")
	case strings.HasPrefix(rest, "N"), strings.HasPrefix(rest, "I"):
		return s.refuse(i, "NaN and Infinity are not JSON numbers")
	}
	return s.expected(i, "a value")
}

// inside adds a step to the path of the failure, while it is passed outwards.
func (s *scanner) inside(step string) int {
	s.failure.path = append(s.failure.path, step)
	return -1
}

// problem puts the failure in words.
func (s *scanner) problem() Problem {
	before := s.text[:s.failure.at]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[1+strings.LastIndexByte(before, '\n'):])
	return Problem{
		Pointer: pointer(s.failure.path),
		Detail:  fmt.Sprintf("%s, at byte %d (line %d, column %d)", s.failure.why, s.failure.at, line, column),
	}
}

// longestPointer bounds a pointer. A longer one stops at the last step that
// fits: true still, only less precise.
const longestPointer = 1024

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the RFC 6901 JSON Pointer of a path given innermost first.
func pointer(path []string) string {
	var p []byte
	for _, name := range slices.Backward(path) {
		step := pointerEscapes.Replace(name)
		if len(p)+1+len(step) > longestPointer {
			break
		}
		p = append(append(p, '/'), step...)
	}
	return string(p)
}
