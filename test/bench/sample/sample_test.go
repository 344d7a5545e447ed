package sample_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/test/bench/sample"
)

func TestEventsAreValidAndOfTheirSize(t *testing.T) {
	for _, n := range []int{-5_000_000, -1, 0, 1, 499_999} {
		body := sample.Maker{}.JSON(n)
		require.InDelta(t, 230, len(body), 20, body)
		e, err := native.Parse(body, event.DefaultLimits())
		require.NoError(t, err, body)

		fields, err := event.FromFields(sample.Maker{}.Fields(n))
		require.NoError(t, err)
		e.ID = fields.ID
		require.Equal(t, e, fields, "the stream and the API are given the same")
	}
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		e, err := native.Parse(sample.Maker{Payload: size}.JSON(7), event.DefaultLimits())
		require.NoError(t, err)
		require.Len(t, e.Payload, size)
	}
	batch, err := native.ParseBatch(sample.Maker{}.Batch(0, 100), event.DefaultLimits())
	require.NoError(t, err)
	require.Len(t, batch, 100)
}

func TestIDsGrow(t *testing.T) {
	last := ""
	for n := -1000; n < 1000; n++ {
		id := sample.ID(n)
		require.Greater(t, id, last)
		parsed, err := uuid.Parse(id)
		require.NoError(t, err)
		require.Equal(t, uuid.Version(7), parsed.Version())
		require.Equal(t, uuid.RFC4122, parsed.Variant())
		last = id
	}
}

func TestRows(t *testing.T) {
	var b strings.Builder
	require.NoError(t, sample.Maker{}.WriteRows(&b, 0, 3, 20))
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	require.Len(t, lines, 3)
	fields := strings.Split(lines[2], "\t")
	require.Len(t, fields, 6)
	require.Equal(t, sample.ID(40), fields[0])
	require.NotContains(t, b.String(), `\`, "nothing that the text format would have escaped")
}
