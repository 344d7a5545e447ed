package event

import "time"

const (
	errBadTimestamp rule = "must be an RFC 3339 date and time with an offset, such as 2026-01-02T15:04:05.678Z"
	errBadLeap      rule = "has second 60 where UTC has no leap second"
	errBadYear      rule = "must lie within the years 0001 and 9999 in UTC"
)

// The first second of year 1, and the first second past year 9999. PostgreSQL
// reads no year 0, and RFC 3339 writes no fifth digit.
const (
	firstSecond = -62135596800
	endSecond   = 253402300800
)

// ParseTimestamp reads an RFC 3339 date-time (section 5.6), in UTC and cut
// (never rounded) to the microsecond. The error is a sentence fragment for
// whoever sent it.
//
// time.Parse will not do: it takes "," before a fraction, hours of one digit and
// offsets of a day and more, but no lower-case t and z and no leap second.
func ParseTimestamp(s string) (time.Time, error) {
	const shortest = len("2006-01-02T15:04:05Z")
	if len(s) < shortest || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, errBadTimestamp
	}
	century, year := twoDigits(s, 0), twoDigits(s, 2)
	month, day := twoDigits(s, 5), twoDigits(s, 8)
	hour, minute, second := twoDigits(s, 11), twoDigits(s, 14), twoDigits(s, 17)
	if century|year|month|day|hour|minute|second < 0 {
		return time.Time{}, errBadTimestamp
	}
	year += 100 * century
	if month < 1 || month > 12 || day < 1 || day > daysIn(month, year) || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, errBadTimestamp
	}
	micros, rest, ok := parseFraction(s[19:])
	if !ok {
		return time.Time{}, errBadTimestamp
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return time.Time{}, errBadTimestamp
	}

	// A 60th second normalizes into the second that follows it.
	t := time.Date(year, time.Month(month), day, hour, minute, second-offset, micros*1000, time.UTC)
	if second == 60 && !followsLeapSecond(t) {
		return time.Time{}, errBadLeap
	}
	if !yearInRange(t) {
		return time.Time{}, errBadYear
	}
	return t, nil
}

func yearInRange(t time.Time) bool {
	unix := t.Unix()
	return unix >= firstSecond && unix < endSecond
}

// microseconds returns t in UTC, cut (never rounded) to the microsecond that
// PostgreSQL keeps.
func microseconds(t time.Time) time.Time {
	t = t.Round(0).UTC() // without a monotonic reading
	return t.Add(-time.Duration(t.Nanosecond() % 1000))
}

// parseFraction reads a fraction of a second of any length, if there is one,
// and returns what stands after it.
func parseFraction(s string) (micros int, rest string, ok bool) {
	if s[0] != '.' {
		return 0, s, true
	}
	end := 1
	for ; end < len(s) && isDigit(s[end]); end++ {
		if end <= 6 {
			micros = micros*10 + int(s[end]-'0')
		}
	}
	for digits := end; digits <= 6; digits++ {
		micros *= 10
	}
	return micros, s[end:], end > 1
}

// parseOffset reads the whole of s as an offset from UTC, in seconds.
func parseOffset(s string) (seconds int, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != len("+00:00") || s[3] != ':' {
		return 0, false
	}
	hours, minutes := twoDigits(s, 1), twoDigits(s, 4)
	if hours|minutes < 0 || hours > 23 || minutes > 59 {
		return 0, false
	}
	seconds = hours*3600 + minutes*60
	switch s[0] {
	case '+':
		return seconds, true
	case '-':
		return -seconds, true
	}
	return 0, false
}

// followsLeapSecond reports whether t lies in the second after one where UTC
// puts leap seconds: the end of June and of December, since 1972. That is a
// rule where a table of the 27 so far would have to be kept up to date.
func followsLeapSecond(t time.Time) bool {
	hour, minute, second := t.Clock()
	year, month, day := t.Date()
	return hour|minute|second == 0 && day == 1 &&
		(month == time.July && year >= 1972 || month == time.January && year >= 1973)
}

func daysIn(month, year int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// twoDigits reads the two decimal digits at i; it is negative when they are
// something else.
func twoDigits(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

func isDigit(c byte) bool { return c-'0' <= 9 }
