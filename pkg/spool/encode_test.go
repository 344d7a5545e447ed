package spool

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeEvent_ReadsWhatIsWritten(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 20} {
		e := makeEvents(1)[0]
		e.Payload = `{"x":"` + strings.Repeat("y", size) + `"}`
		got, err := decodeEvent(appendEvent(nil, &e))
		require.NoError(t, err)
		require.Equal(t, e, got)
	}
}

func TestDecodeEvent_FailsForAnythingElse(t *testing.T) {
	whole := appendEvent(nil, &makeEvents(1)[0])
	for name, b := range map[string][]byte{
		"nothing": nil, "a newer version": append([]byte{version + 1}, whole[1:]...),
		"one byte more": append(slices.Clip(whole), 0),
		"no fields":     {version, 0}, "no end of the count": {version, 0xff}, "too many fields": {version, 0xff, 0xff, 0x03},
	} {
		_, err := decodeEvent(b)
		require.Error(t, err, name)
	}
	for cut := range whole {
		_, err := decodeEvent(whole[:cut])
		require.Error(t, err, cut)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add(appendEvent(nil, &makeEvents(1)[0]))
	f.Add([]byte{version, 0})
	f.Add([]byte{version, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEvent(b)
		if err != nil {
			return
		}
		// What can be read can be written and read again.
		again, err := decodeEvent(appendEvent(nil, &e))
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}
