package jsonscan

import (
	"math/bits"
	"testing"
)

// TestSpecial looks at every pair of neighbours at every place in a word:
// a byte may only be disturbed by a special one before it.
func TestSpecial(t *testing.T) {
	isSpecial := func(c byte) bool { return c < ' ' || c == '"' || c == '\\' || c >= 0x80 }
	for at := range 7 {
		for a := range 256 {
			for b := range 256 {
				text := []byte("plain...")
				text[at], text[at+1] = byte(a), byte(b)
				want := 8
				switch {
				case isSpecial(byte(a)):
					want = at
				case isSpecial(byte(b)):
					want = at + 1
				}
				if got := bits.TrailingZeros64(special(word(string(text), 0))) / 8; got != want {
					t.Fatalf("%q: byte %d, want %d", text, got, want)
				}
			}
		}
	}
}
