package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/chaos/load"
)

func TestHarmLastsAsLongAsTheLoadButForTheCalm(t *testing.T) {
	brief, long := Fault{}, Fault{Window: 2 * time.Minute}
	for _, tt := range []struct {
		load, brief, long time.Duration
	}{
		{5 * time.Second, 3500 * time.Millisecond, 3500 * time.Millisecond},
		{29 * time.Second, 20300 * time.Millisecond, 20300 * time.Millisecond},
		{30 * time.Second, 21 * time.Second, 2 * time.Minute},
		{5*time.Minute + 9*time.Second, 5 * time.Minute, 5 * time.Minute},
	} {
		o := Options{Duration: tt.load}
		require.Equal(t, tt.brief, o.window(brief), tt.load)
		require.Equal(t, tt.long, o.window(long), tt.load)
	}
}

func TestReadinessIsOfOneLife(t *testing.T) {
	second, ill := time.Second, errors.New("ill")
	r := readiness{life: 1, up: true}
	r.saw(1*second, 1, nil)
	require.Zero(t, r.NotReady)
	r.saw(2*second, 1, ill)
	require.Equal(t, 1, r.NotReady, "ready once, ready always")
	require.Equal(t, ill, r.Why)

	r.saw(3*second, 2, ill)
	r.saw(3*second+200*time.Millisecond, 2, ill)
	r.saw(4*second, 2, nil)
	require.Equal(t, 1, r.NotReady, "it came up")
	require.Equal(t, second, r.Slowest)
	r.saw(5*second, 2, ill)
	require.Equal(t, 2, r.NotReady)

	r.saw(6*second, 3, ill)
	r.saw(6*second+comingUp, 3, ill)
	require.Equal(t, 2, r.NotReady)
	r.saw(7*second+comingUp, 3, ill)
	require.Equal(t, 3, r.NotReady, "it does not come up")
	require.Equal(t, 9, r.Asked)
}

func TestDrained(t *testing.T) {
	at := func(tenths int, accepted, stored int) progress {
		return progress{time.Duration(tenths) * 100 * time.Millisecond, accepted, stored}
	}
	d := drained([]progress{at(1, 1000, 100), at(5, 1100, 100), at(10, 1200, 600), at(15, 1300, 1300), at(20, 1400, 1400)})
	require.Equal(t, Drained{Waited: 900, Begun: 500 * time.Millisecond, Done: 1500 * time.Millisecond, Rate: 1200}, d)
	require.Equal(t, time.Duration(-1), drained(nil).Done)
	require.Equal(t, time.Duration(-1), drained([]progress{at(1, 10, 5), at(2, 11, 6)}).Done, "not to the end")
	d = drained([]progress{at(1, 10, 12)})
	require.Zero(t, d.Waited)
	require.Equal(t, 100*time.Millisecond, d.Done)
}

// overcome is an outage that nobody can find fault with.
func overcome() Result {
	second := time.Second
	var harmed load.Summary
	harmed.Valid[load.Accepted] = 5000
	return Result{
		Fault:       Fault{Name: "outage", Outage: &Outage{Within: time.Minute, WorkGrowth: 32 << 20}},
		Injected:    load.Span{From: 3 * second, To: 13 * second},
		DuringFault: harmed,
		Drained:     Drained{Waited: 5000, Begun: second, Done: 3 * second, Rate: 2700},
		Seen: Seen{Memory: []footprint{
			{second, 20 << 20, 30 << 20}, {5 * second, 21 << 20, 31 << 20}, {6 * second, 0, 33 << 20}, {15 * second, 22 << 20, 60 << 20},
		}},
	}
}

func TestOutageIsJudged(t *testing.T) {
	notes, wrong := judgeOutage(overcome())
	require.Empty(t, wrong)
	text := strings.Join(notes, "\n")
	for _, part := range []string{
		"2700/s, after they had come in at 500/s", "0 dead letters",
		"work: 30 MB before, 33 MB during (33 MB at most), 60 MB after", "serve: 20 MB before, 21 MB during",
	} {
		require.Contains(t, text, part)
	}
	for what, spoil := range map[string]func(*Result){
		"slower than":    func(r *Result) { r.Drained.Rate = 400 },
		"not all of":     func(r *Result) { r.Drained.Done = -1 },
		"within 1m0s":    func(r *Result) { r.Drained.Done = 61 * time.Second },
		"work grew by 4": func(r *Result) { r.Seen.Memory[2].work = 70 << 20 },
	} {
		r := overcome()
		spoil(&r)
		_, wrong := judgeOutage(r)
		require.Len(t, wrong, 1, what)
		require.Contains(t, wrong[0], what)
	}
}
