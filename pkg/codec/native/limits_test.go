package native_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestMaxEventBytes(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxEventBytes = len(small)

	_, err := native.Parse("  "+small+"\n\n", limits)
	require.NoError(t, err, "space around an event is not the event")
	events, err := native.ParseBatch("[ "+small+" , "+smallNoID+" ]", limits)
	require.NoError(t, err)
	require.Len(t, events, 2)

	limits.MaxEventBytes--
	_, err = native.Parse(small, limits)
	rejection := requireError(t, err)
	require.Equal(t, event.KindTooLarge, rejection.Kind)
	require.Equal(t, []string{""}, pointers(rejection))

	events, err = native.ParseBatch("["+smallNoID+","+small+",{},"+small+"]", limits)
	require.Nil(t, events)
	rejection = requireError(t, err)
	require.Equal(t, event.KindTooLarge, rejection.Kind)
	require.Equal(t, []string{"/1", "/2/event_type", "/2/source", "/2/timestamp", "/3"}, pointers(rejection))

	// Past the list of problems, the kind must still be right.
	limits.MaxProblems = 2
	_, err = native.ParseBatch("[{},"+small+"]", limits)
	rejection = requireError(t, err)
	require.Equal(t, event.KindTooLarge, rejection.Kind)
	require.Equal(t, 2, rejection.More)
}

func TestMaxBatchEvents(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxBatchEvents = 3

	batch := func(n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat("{"+goodHead+"},", n), ",") + "]"
	}
	events, err := native.ParseBatch(batch(3), limits)
	require.NoError(t, err)
	require.Len(t, events, 3)

	for _, body := range []string{batch(4), batch(1000), `[{},1,{},` + strings.Repeat(`[`, 1000)} {
		events, err = native.ParseBatch(body, limits)
		require.Nil(t, events)
		rejection := requireError(t, err)
		require.Equal(t, event.KindTooLarge, rejection.Kind)
		require.Equal(t, []string{""}, pointers(rejection))
		require.Contains(t, rejection.Problems[0].Detail, "3 events")
	}
}

func TestMaxDepth(t *testing.T) {
	// nested returns a payload of that many levels, arrays or objects.
	nested := func(levels int, open, closing string) string {
		return `{"v":` + strings.Repeat(open, levels-1) + "1" + strings.Repeat(closing, levels-1) + "}"
	}
	for _, depth := range []int{2, 3, 64, 10_000} {
		limits := event.DefaultLimits()
		limits.MaxDepth = depth
		require.NoError(t, limits.Validate())
		for _, kind := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			t.Run(fmt.Sprint(depth, kind[0]), func(t *testing.T) {
				// The event is a level as well.
				body := with(`"payload":` + nested(depth-1, kind[0], kind[1]))
				_, err := native.Parse(body, limits)
				require.NoError(t, err)
				_, err = native.ParseBatch("["+body+"]", limits)
				require.NoError(t, err, "the array of a batch does not count")

				body = with(`"payload":` + nested(depth, kind[0], kind[1]))
				_, err = native.Parse(body, limits)
				rejection := requireError(t, err)
				require.Equal(t, event.KindInvalid, rejection.Kind)
				require.True(t, strings.HasPrefix(rejection.Problems[0].Pointer, "/payload/v"))
				require.Contains(t, rejection.Problems[0].Detail, fmt.Sprintf("deeper than %d levels", depth))
				_, err = native.ParseBatch("["+body+"]", limits)
				requireError(t, err)
			})
		}
	}

	limits := event.DefaultLimits()
	for _, bomb := range []string{strings.Repeat("[", 4_000_000), strings.Repeat(`{"a":`, 800_000)} {
		limits.MaxEventBytes = 4 << 20
		_, err := native.Parse(bomb, limits)
		requireError(t, err)
		_, err = native.ParseBatch(bomb, limits)
		requireError(t, err)
	}
}

func TestMaxProblems(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxProblems = 4

	_, err := native.Parse(`{"a":1,"b":1,"c":1}`, limits)
	rejection := requireError(t, err)
	require.Equal(t, []string{"/a", "/b", "/c", "/event_type"}, pointers(rejection))
	require.Equal(t, 2, rejection.More)

	_, err = native.Parse(`{"a":1}`, limits)
	rejection = requireError(t, err)
	require.Len(t, rejection.Problems, 4)
	require.Zero(t, rejection.More)

	_, err = native.ParseBatch("["+strings.Repeat("1,", 900)+"1]", limits)
	rejection = requireError(t, err)
	require.Equal(t, []string{"/0", "/1", "/2", "/3"}, pointers(rejection))
	require.Equal(t, 897, rejection.More)
}
