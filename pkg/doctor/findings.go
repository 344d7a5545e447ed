package doctor

import (
	"fmt"
	"strings"
	"time"
)

// findings is a list that grows.
type findings []Finding

func (f *findings) ok(check, message string, args ...any) {
	*f = append(*f, Finding{OK, check, fmt.Sprintf(message, args...), ""})
}

func (f *findings) unknown(check, message, remedy string) {
	*f = append(*f, Finding{Unknown, check, message, remedy})
}

func (f *findings) warning(check, message, remedy string) {
	*f = append(*f, Finding{Warning, check, message, remedy})
}

func (f *findings) problem(check, message, remedy string) {
	*f = append(*f, Finding{Problem, check, message, remedy})
}

// short rounds a duration to what a person wants to know.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}

// count is a number and what it is of.
func count(n int64, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// shellWord quotes what a shell would take apart.
func shellWord(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
