package jsonscan

// What PostgreSQL's numeric holds, with the exponent worked in: so many digits
// before the decimal point, so many after it. Trailing zeros count.
// https://www.postgresql.org/docs/current/datatype-numeric.html
const (
	maxIntegerDigits  = 131072
	maxFractionDigits = 16383
)

// maxExponent is the largest exponent taken, either way. A larger one PostgreSQL
// may well hold, but it writes the number out in full: ten bytes sent would be
// 131,072 bytes for everyone who reads the event back.
const maxExponent = 1000

// number scans the number that starts at i.
func (s *Scanner) number(i int) int {
	start := i
	if s.At(i) == '-' {
		i++
	}
	integer := i
	i = s.digits(i)
	switch {
	case i == integer:
		return s.Expected(i, "a digit")
	case i > integer+1 && s.text[integer] == '0':
		return s.Fail(integer, "a number must not start with a needless zero")
	}
	integerDigits, fractionDigits := i-integer, 0

	if s.At(i) == '.' {
		fraction := i + 1
		if i = s.digits(fraction); i == fraction {
			return s.Expected(i, "a digit after the decimal point")
		}
		fractionDigits = i - fraction
	}

	if s.At(i)|0x20 == 'e' {
		i++
		negative := s.At(i) == '-'
		if negative || s.At(i) == '+' {
			i++
		}
		power := i
		if i = s.digits(power); i == power {
			return s.Expected(i, "a digit of the exponent")
		}
		exponent := 0
		for _, c := range []byte(s.text[power:i]) {
			if exponent = exponent*10 + int(c-'0'); exponent > maxExponent {
				return s.Fail(start, "a number's exponent must be within -1000 and 1000")
			}
		}
		if negative {
			exponent = -exponent
		}
		integerDigits += exponent
		fractionDigits -= exponent
	}

	if integerDigits > maxIntegerDigits {
		return s.Fail(start, "a number must not have more than 131072 digits before the decimal point")
	}
	if fractionDigits > maxFractionDigits {
		return s.Fail(start, "a number must not have more than 16383 digits after the decimal point")
	}
	return i
}

// digits skips decimal digits.
func (s *Scanner) digits(i int) int {
	for isDigit(s.At(i)) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c-'0' <= 9 }
