package store_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireSameJSON compares values as JSON has them: the order of keys, the
// spelling of strings and of numbers do not count, the digits of a number do,
// all of them.
func requireSameJSON(tb testing.TB, want, got string) {
	tb.Helper()
	w, err := canonical(want)
	require.NoError(tb, err)
	g, err := canonical(got)
	require.NoError(tb, err)
	if w != g { // not Equal: its diff of long texts takes minutes
		at := 0
		for at < min(len(w), len(g)) && w[at] == g[at] {
			at++
		}
		from := max(0, at-40)
		require.FailNow(tb, "JSON differs", "sent %.200q\nread %.200q\nfrom byte %d: %.80q and %.80q",
			want, got, at, w[from:], g[from:])
	}
}

// canonical renders a JSON text so that equal values become equal texts.
func canonical(text string) (string, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("decode %.200q: %w", text, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", fmt.Errorf("decode %.200q: data behind the value", text)
	}
	b, err := json.Marshal(canonicalNumbers(v)) // sorts keys
	return string(b), err
}

func canonicalNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = canonicalNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = canonicalNumbers(e)
		}
	case json.Number:
		return map[string]any{"number": canonicalNumber(string(v))}
	}
	return v
}

// canonicalNumber returns a number as its digits, without zeros at either
// end, and the power of ten of the last one.
func canonicalNumber(s string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	power := 0
	if exponent != "" {
		power, _ = strconv.Atoi(exponent)
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	power -= len(fraction)
	if digits == "" {
		return "0" // and so is -0
	}
	trimmed := strings.TrimRight(digits, "0")
	power += len(digits) - len(trimmed)
	if negative {
		trimmed = "-" + trimmed
	}
	return trimmed + "e" + strconv.Itoa(power)
}

func TestCanonicalNumber(t *testing.T) {
	for _, same := range [][]string{
		{"0", "-0", "0.0", "0e5", "-0.00E-3"},
		{"1", "1.0", "10e-1", "0.1e1", "1E+0", "1e00"},
		{"-120", "-1.2e2", "-12e1", "-120.000"},
		{"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
	} {
		for _, s := range same {
			require.Equal(t, canonicalNumber(same[0]), canonicalNumber(s), s)
		}
	}
	require.NotEqual(t, canonicalNumber("9007199254740993"), canonicalNumber("9007199254740992"))
	require.NotEqual(t, canonicalNumber("1e1000"), canonicalNumber("1e1001"))
}
