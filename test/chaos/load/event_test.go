package load

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/eventpulse/eventpulse/pkg/codec/native"
	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

func TestMadeEventsAreValid(t *testing.T) {
	maker := Maker{Seed: 7, Minted: 0.4}
	minted := 0
	for n := range uint32(5_000) {
		made := maker.Make(n)
		require.Equal(t, made, maker.Make(n), "the same number is the same event")
		got, err := native.Parse(made.Body, event.DefaultLimits())
		require.NoError(t, err, made.Body)
		if made.ID == uuid.Nil {
			minted++
		} else {
			require.Equal(t, made.ID, got.ID)
		}
		require.Equal(t, made.Type, got.Type)
		require.Equal(t, made.Source, got.Source)
		require.True(t, made.Time.Equal(got.Timestamp), "%s %s", made.Time, got.Timestamp)
		require.Equal(t, made.Payload, got.Payload)
		require.Equal(t, made.Metadata, got.Metadata)
		number, ok := NumberOf(got.Source)
		require.True(t, ok)
		require.Equal(t, n, number)
	}
	require.InDelta(t, 0.4, float64(minted)/5_000, 0.02)
}

func TestNumberOfStrangers(t *testing.T) {
	for _, source := range []string{"", "web", "c:", "c:1", "c:x:web", "c:-1:web", "c:99999999999:web"} {
		_, ok := NumberOf(source)
		require.False(t, ok, source)
	}
}

func TestBrokenEventsAreInvalid(t *testing.T) {
	maker := Maker{Seed: 8}
	for how := range breakages {
		for n := range uint32(50) {
			sound, broken := maker.Make(2*n).Body, Break(maker.Make(2*n+1).Body, how)
			_, err := native.Parse(broken, event.DefaultLimits())
			requireInvalid(t, err, how, broken)
			_, err = native.ParseBatch("["+sound+","+broken+"]", event.DefaultLimits())
			requireInvalid(t, err, how, broken)
		}
	}
}

func requireInvalid(t *testing.T, err error, how int, body string) {
	t.Helper()
	var e *event.Error
	require.ErrorAs(t, err, &e, "breakage %d: %v: %s", how, err, body)
	require.Equal(t, event.KindInvalid, e.Kind)
}

func TestHardValuesAreJSON(t *testing.T) {
	for _, v := range hardValues {
		require.True(t, json.Valid([]byte(v)), v)
	}
	for _, n := range hardNames {
		require.True(t, json.Valid([]byte(`"`+n+`"`)), n)
	}
}
