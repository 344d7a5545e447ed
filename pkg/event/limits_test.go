package event_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestLimitsValidate(t *testing.T) {
	require.NoError(t, event.DefaultLimits().Validate())
	require.NoError(t, event.Limits{MaxEventBytes: 1, MaxBatchEvents: 1, MaxDepth: 2, MaxProblems: 1}.Validate())
	require.NoError(t, event.Limits{MaxEventBytes: 4 << 20, MaxBatchEvents: 100_000, MaxDepth: 10_000, MaxProblems: 10_000}.Validate())

	for _, l := range []event.Limits{
		{},
		{MaxEventBytes: -1, MaxBatchEvents: -1, MaxDepth: 1, MaxProblems: -1},
		{MaxEventBytes: 4<<20 + 1, MaxBatchEvents: 100_001, MaxDepth: 10_001, MaxProblems: 10_001},
	} {
		err := l.Validate()
		require.ErrorContains(t, err, "max_event_bytes: ")
		require.ErrorContains(t, err, "max_batch_events: ")
		require.ErrorContains(t, err, "max_depth: ")
		require.ErrorContains(t, err, "max_problems: ")
	}
}

func TestLimitsAreSettings(t *testing.T) {
	for field := range reflect.TypeFor[event.Limits]().Fields() {
		require.NotEmpty(t, field.Tag.Get("config"), field.Name)
		require.NotEmpty(t, field.Tag.Get("usage"), field.Name)
	}
}

func TestMaxEventBytes(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxEventBytes = len(small)

	_, err := event.Parse("  "+small+"\n\n", limits)
	require.NoError(t, err, "space around an event is not the event")
	events, err := event.ParseBatch("[ "+small+" , "+smallNoID+" ]", limits)
	require.NoError(t, err)
	require.Len(t, events, 2)

	limits.MaxEventBytes--
	_, err = event.Parse(small, limits)
	refusal := requireError(t, err)
	require.Equal(t, event.KindTooLarge, refusal.Kind)
	require.Equal(t, []string{""}, pointers(refusal))

	events, err = event.ParseBatch("["+smallNoID+","+small+",{},"+small+"]", limits)
	require.Nil(t, events)
	refusal = requireError(t, err)
	require.Equal(t, event.KindTooLarge, refusal.Kind)
	require.Equal(t, []string{"/1", "/2/event_type", "/2/source", "/2/timestamp", "/3"}, pointers(refusal))

	// Past the list of problems, the kind must still be right.
	limits.MaxProblems = 2
	_, err = event.ParseBatch("[{},"+small+"]", limits)
	refusal = requireError(t, err)
	require.Equal(t, event.KindTooLarge, refusal.Kind)
	require.Equal(t, 2, refusal.More)
}

func TestMaxBatchEvents(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxBatchEvents = 3

	batch := func(n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat("{"+goodHead+"},", n), ",") + "]"
	}
	events, err := event.ParseBatch(batch(3), limits)
	require.NoError(t, err)
	require.Len(t, events, 3)

	for _, body := range []string{batch(4), batch(1000), `[{},1,{},` + strings.Repeat(`[`, 1000)} {
		events, err = event.ParseBatch(body, limits)
		require.Nil(t, events)
		refusal := requireError(t, err)
		require.Equal(t, event.KindTooLarge, refusal.Kind)
		require.Equal(t, []string{""}, pointers(refusal))
		require.Contains(t, refusal.Problems[0].Detail, "3 events")
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
				_, err := event.Parse(body, limits)
				require.NoError(t, err)
				_, err = event.ParseBatch("["+body+"]", limits)
				require.NoError(t, err, "the array of a batch does not count")

				body = with(`"payload":` + nested(depth, kind[0], kind[1]))
				_, err = event.Parse(body, limits)
				refusal := requireError(t, err)
				require.Equal(t, event.KindInvalid, refusal.Kind)
				require.True(t, strings.HasPrefix(refusal.Problems[0].Pointer, "/payload/v"))
				require.Contains(t, refusal.Problems[0].Detail, fmt.Sprintf("deeper than %d levels", depth))
				_, err = event.ParseBatch("["+body+"]", limits)
				requireError(t, err)
			})
		}
	}

	limits := event.DefaultLimits()
	for _, bomb := range []string{strings.Repeat("[", 4_000_000), strings.Repeat(`{"a":`, 800_000)} {
		limits.MaxEventBytes = 4 << 20
		_, err := event.Parse(bomb, limits)
		requireError(t, err)
		_, err = event.ParseBatch(bomb, limits)
		requireError(t, err)
	}
}

func TestMaxProblems(t *testing.T) {
	limits := event.DefaultLimits()
	limits.MaxProblems = 4

	_, err := event.Parse(`{"a":1,"b":1,"c":1}`, limits)
	refusal := requireError(t, err)
	require.Equal(t, []string{"/a", "/b", "/c", "/event_type"}, pointers(refusal))
	require.Equal(t, 2, refusal.More)

	_, err = event.Parse(`{"a":1}`, limits)
	refusal = requireError(t, err)
	require.Len(t, refusal.Problems, 4)
	require.Zero(t, refusal.More)

	_, err = event.ParseBatch("["+strings.Repeat("1,", 900)+"1]", limits)
	refusal = requireError(t, err)
	require.Equal(t, []string{"/0", "/1", "/2", "/3"}, pointers(refusal))
	require.Equal(t, 897, refusal.More)
}
