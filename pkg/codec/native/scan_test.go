package native_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

// TestStrings_OfEveryAlignment puts every sort of byte at every place of
// strings that are shorter and longer than a word or two.
func TestStrings_OfEveryAlignment(t *testing.T) {
	limits := event.DefaultLimits()
	special := []string{"\x00", "\x1f", " ", "!", "#", "[", "]", "\x7f", "\x80", "\xc3", "\xff", `\n`, `\`, `"`, "é", "€", "😀", `\u00e9`, `\ud83d\ude00`, `\ud83d`}
	for length := range 20 {
		for at := range length {
			for _, s := range special {
				text := strings.Repeat("x", at) + s + strings.Repeat("y", length-at-1)
				compareParse(t, payload(`"`+text+`"`), limits)
				compareParse(t, `{"`+text+`":"`+text, limits)
			}
		}
	}
}

// TestStrings_EveryEscape compares every \u escape there is with what must come of it.
func TestStrings_EveryEscape(t *testing.T) {
	for unit := range 0x10000 {
		escape := fmt.Sprintf(`\u%04x`, unit)
		if unit%3 == 0 {
			escape = fmt.Sprintf(`\u%04X`, unit)
		}
		e, err := native.Parse(fields(`"`+escape+`"`, `"s"`, `"`+goodTime+`"`), event.DefaultLimits())
		if unit == 0 || !utf8.ValidRune(rune(unit)) {
			requireError(t, err)
			continue
		}
		if err != nil || e.Type != string(rune(unit)) {
			t.Fatalf("%s: %q, %v", escape, e.Type, err)
		}
	}
	for r := rune(0x10000); r <= utf8.MaxRune; r += 0x3ff {
		escape := fmt.Sprintf(`\u%04x\u%04X`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		e, err := native.Parse(fields(`"`+escape+`"`, `"s"`, `"`+goodTime+`"`), event.DefaultLimits())
		if err != nil || e.Type != string(r) {
			t.Fatalf("%s: %q, %v", escape, e.Type, err)
		}
	}
}

// TestObjects_DuplicateNamesAreFoundAtEverySize covers the change from comparing
// to the table, and its growth; an object inside must not disturb the one
// around it.
func TestObjects_DuplicateNamesAreFoundAtEverySize(t *testing.T) {
	inner := `{` + manyMembers(40) + `}`
	for size := 1; size < 700; size += 1 + size/20 {
		members := strings.Split(manyMembers(size), ",")
		members[size/2] = fmt.Sprintf(`"n%d":%s`, size/2, inner)
		body := strings.Join(members, ",")
		_, err := native.Parse(with(`"payload":{`+body+`}`), event.DefaultLimits())
		require.NoError(t, err)
		for _, twice := range []int{0, size / 2, size - 1} {
			_, err = native.Parse(with(fmt.Sprintf(`"payload":{%s,"n%d":0}`, body, twice)), event.DefaultLimits())
			rejection := requireError(t, err)
			require.Equal(t, []string{fmt.Sprintf("/payload/n%d", twice)}, pointers(rejection))
		}
	}
}

// TestObjects_CostGrowsWithTheirLength would not end if its cost grew with the square of the names.
func TestObjects_CostGrowsWithTheirLength(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxEventBytes = 4 << 20
	require.NoError(t, limits.Validate())
	_, err := native.Parse(with(`"payload":{`+manyMembers(200_000)+`}`), limits)
	require.NoError(t, err)
}

// TestNumbers_OfEveryShortForm writes numbers of all short forms and holds them
// against jsontext.
func TestNumbers_OfEveryShortForm(t *testing.T) {
	limits := event.DefaultLimits()
	var grow func(number string, left int)
	grow = func(number string, left int) {
		compareParse(t, payload(number), limits)
		if left == 0 {
			return
		}
		for _, c := range []string{"0", "7", "-", "+", ".", "e", "E"} {
			grow(number+c, left-1)
		}
	}
	grow("", 4)
}
