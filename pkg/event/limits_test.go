package event_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestLimits_Validate(t *testing.T) {
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

func TestLimits_AreSettings(t *testing.T) {
	for field := range reflect.TypeFor[event.Limits]().Fields() {
		require.NotEmpty(t, field.Tag.Get("config"), field.Name)
		require.NotEmpty(t, field.Tag.Get("usage"), field.Name)
	}
}
