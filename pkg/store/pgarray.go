package store

import (
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// array renders one column of a batch as a PostgreSQL array literal. bun's own
// drops U+0000 and mends bad UTF-8 as it goes, by the rune; this one copies
// what [check] has let through, by the span, into space measured beforehand.
type array struct {
	rows []row
	size int // bytes it will take, or a little more
	// put appends one element with its quotes.
	put func(dst []byte, e *event.Event) []byte
	// grow is the size of the arrays from this one to the last, made room
	// for at once.
	grow int
}

var _ schema.QueryAppender = (*array)(nil)

// AppendQuery implements schema.QueryAppender.
func (a *array) AppendQuery(_ schema.QueryGen, dst []byte) ([]byte, error) {
	dst = slices.Grow(dst, a.grow)
	dst = append(dst, `'{`...)
	for i, r := range a.rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.put(dst, r.Event)
	}
	return append(dst, `}'`...), nil
}

// columns returns the arguments of insertStatement.
func columns(rows []row) []any {
	const (
		idSize   = len(`00000000-0000-0000-0000-000000000000,`)
		timeSize = len(`"10000-01-01 00:00:00.000000+00 BC",`)
		quotes   = len(`"",`)
	)
	arrays := []*array{
		{put: putID, size: idSize * len(rows)},
		textArray(rows, func(e *event.Event) string { return e.Type }),
		textArray(rows, func(e *event.Event) string { return e.Source }),
		{put: putTimestamp, size: timeSize * len(rows)},
		textArray(rows, func(e *event.Event) string { return e.Payload }),
		textArray(rows, func(e *event.Event) string { return e.Metadata }),
	}
	args := make([]any, len(arrays))
	total := len(insertStatement)
	for i, a := range arrays {
		a.rows = rows
		a.size += len(rows)*quotes + len(`'{}'`)
		total += a.size
		args[i] = a
	}
	arrays[0].grow = total
	return args
}

func textArray(rows []row, text func(*event.Event) string) *array {
	a := &array{put: func(dst []byte, e *event.Event) []byte { return putText(dst, text(e)) }}
	for _, r := range rows {
		s := text(r.Event)
		a.size += len(s) + strings.Count(s, `"`) + strings.Count(s, `\`) + strings.Count(s, `'`)
	}
	return a
}

// putText quotes s as an element of an array literal within a string literal:
// the array wants backslashes before quotes and backslashes, the string wants
// its own quote twice and, with standard_conforming_strings, nothing else.
func putText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\\':
			dst = append(append(dst, s[start:i]...), '\\')
			start = i
		case '\'':
			dst = append(append(dst, s[start:i]...), '\'')
			start = i
		}
	}
	return append(append(dst, s[start:]...), '"')
}

func putID(dst []byte, e *event.Event) []byte {
	const hex = "0123456789abcdef"
	for i, b := range e.ID {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hex[b>>4], hex[b&15])
	}
	return dst
}

func putTimestamp(dst []byte, e *event.Event) []byte {
	dst = append(dst, '"')
	t := e.Timestamp.UTC()
	// There is no year 0: before year 1 comes 1 BC. An offset can take the
	// first hours of year 1 there.
	year, era := t.Year(), ""
	if year <= 0 {
		year, era = 1-year, " BC"
	}
	for limit := 1000; limit > year && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, int64(year), 10)
	dst = t.AppendFormat(dst, "-01-02 15:04:05.999999+00")
	return append(append(dst, era...), '"')
}
