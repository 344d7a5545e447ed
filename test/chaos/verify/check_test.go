package verify

import (
	"errors"
	"iter"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/chaos/load"
)

// world is a sent, and a table that holds exactly what it should.
type world struct {
	sent *load.SentLog
	rows []Row
}

func newWorld() *world {
	return &world{sent: load.NewSentLog(load.Maker{Seed: 3, Minted: 0.5})}
}

// send enters an event with the outcomes; stored says whether it is a row.
func (w *world) send(stored bool, outcomes ...load.Outcome) load.Event {
	e := w.sent.Add(false)
	for _, o := range outcomes {
		w.sent.Answer([]load.Event{e}, o)
		if o == load.Accepted && e.ID == uuid.Nil {
			e.ID = uuid.Must(uuid.NewV7())
			w.sent.Minted(e.Number, e.ID)
		}
	}
	if stored {
		row := rowOf(e)
		if row.ID == uuid.Nil {
			row.ID = uuid.Must(uuid.NewV7())
		}
		w.rows = append(w.rows, row)
	}
	return e
}

func rowOf(e load.Event) Row {
	return Row{ID: e.ID, Type: e.Type, Source: e.Source, Micros: e.Time.UnixMicro(), Payload: e.Payload, Metadata: e.Metadata}
}

// events that are all as they should be, of every kind.
func (w *world) honest() {
	for range 50 {
		w.send(true, load.Accepted)
		w.send(true, load.Accepted, load.Accepted)
		w.send(true, load.Busy, load.Accepted)
		w.send(true, load.Accepted, load.Rejected)
		w.send(true, load.Unclear)
		w.send(false, load.Unclear)
		w.send(true, load.Busy)
		w.send(false, load.Busy)
		w.send(true, load.Unsent, load.Unclear)
		w.send(false, load.Rejected)
		w.send(false, load.Unsent)
	}
}

func (w *world) check(t *testing.T, allowed ...Allowed) Report {
	t.Helper()
	allowed = append(allowed, Allowed{})
	r, err := Check(w.sent, each(w.rows), allowed[0])
	require.NoError(t, err)
	return r
}

func each(rows []Row) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestNothingWrong(t *testing.T) {
	w := newWorld()
	w.honest()
	r := w.check(t)
	require.True(t, r.OK(), r.Examples)
	require.Empty(t, r.Examples)
	require.Equal(t, Report{Sent: 550, Accepted: 200, Unclear: 250, Stored: 350}, r)
}

func TestLostIsFound(t *testing.T) {
	w := newWorld()
	w.honest()
	w.send(false, load.Accepted)
	w.send(false, load.Unclear, load.Accepted)
	r := w.check(t)
	require.False(t, r.OK())
	require.Equal(t, 2, r.Lost)
	require.Zero(t, r.Twice+r.Altered+r.Extra)
	require.Len(t, r.Examples, 2)
}

func TestTwiceIsFound(t *testing.T) {
	for _, outcome := range []load.Outcome{load.Accepted, load.Unclear} {
		w := newWorld()
		w.honest()
		w.send(true, outcome)
		w.rows = append(w.rows, w.rows[len(w.rows)-1])
		w.rows[len(w.rows)-1].ID = uuid.New() // the same event under another id
		r := w.check(t)
		require.False(t, r.OK())
		require.Equal(t, 1, r.Twice, r.Examples)
	}
}

func TestUnderAnotherIDIsFound(t *testing.T) {
	w := newWorld()
	w.honest()
	w.send(true, load.Accepted)
	w.rows[len(w.rows)-1].ID = uuid.New()
	r := w.check(t)
	require.Equal(t, 1, r.Extra)
	require.Equal(t, 1, r.Lost)
}

func TestAlteredIsFound(t *testing.T) {
	for name, alter := range map[string]func(*Row){
		"type":      func(r *Row) { r.Type += " " },
		"source":    func(r *Row) { r.Source = "web" },
		"timestamp": func(r *Row) { r.Micros++ },
		"payload":   func(r *Row) { r.Payload = `{"n":0.5}` },
		"gone":      func(r *Row) { r.Payload = "" },
		"metadata":  func(r *Row) { r.Metadata = `{"more":null}` },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.honest()
			w.send(true, load.Accepted)
			alter(&w.rows[len(w.rows)-1])
			r := w.check(t)
			require.False(t, r.OK())
			require.Equal(t, 1, r.Altered, r.Examples)
			require.Zero(t, r.Lost+r.Twice+r.Extra, r.Examples)
		})
	}
}

func TestEventsExchangedAreFound(t *testing.T) {
	w := newWorld()
	w.send(true, load.Accepted)
	w.send(true, load.Accepted)
	w.rows[0].ID, w.rows[1].ID = w.rows[1].ID, w.rows[0].ID
	require.Equal(t, 2, w.check(t).Altered)
}

func TestExtraIsFound(t *testing.T) {
	stranger := load.Maker{Seed: 99}.Make(1 << 30)
	for name, add := range map[string]func(*world){
		"never sent":   func(w *world) { w.rows = append(w.rows, rowOf(stranger)) },
		"no source":    func(w *world) { w.rows = append(w.rows, Row{ID: uuid.New(), Payload: "{}", Metadata: "{}"}) },
		"refused":      func(w *world) { w.send(true, load.Rejected) },
		"never left":   func(w *world) { w.send(true, load.Unsent) },
		"not answered": func(w *world) { w.send(true) },
		"invalid": func(w *world) {
			e := w.sent.Add(true)
			w.sent.Answer([]load.Event{e}, load.Rejected)
			if e.ID == uuid.Nil {
				e.ID = uuid.New()
			}
			w.rows = append(w.rows, rowOf(e))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.honest()
			add(w)
			r := w.check(t)
			require.False(t, r.OK())
			require.Equal(t, 1, r.Extra, r.Examples)
			require.Zero(t, r.Lost+r.Twice+r.Altered, r.Examples)
		})
	}
}

func TestOnlyWhatIsAllowedIsForgiven(t *testing.T) {
	w := newWorld()
	w.honest()
	forgotten := w.send(false, load.Accepted)
	stored := w.send(true, load.Accepted)
	for range 3 {
		w.send(false, load.Accepted)
	}
	r := w.check(t, Allowed{Removed: map[uuid.UUID]bool{forgotten.ID: true, stored.ID: true}, Damaged: 2})
	require.Equal(t, 1, r.Removed)
	require.Equal(t, 2, r.Damaged)
	require.Equal(t, 1, r.Lost)
	require.False(t, r.OK())
}

func TestUnreadableTableIsAnError(t *testing.T) {
	broken := errors.New("connection lost")
	_, err := Check(newWorld().sent, func(yield func(Row, error) bool) { yield(Row{}, broken) }, Allowed{})
	require.ErrorIs(t, err, broken)
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		equal bool
	}{
		{`{"a":1,"b":[1,2]}`, `{"b": [1, 2], "a": 1}`, true},
		{`1.10`, `1.1`, true},
		{`1E+2`, `100`, true},
		{`-0`, `0`, true},
		{`1e400`, `1` + zeros(400), true},
		{`"\u00e9\ud83d\ude00"`, `"é😀"`, true},
		{`{"\u00e9":null}`, `{"é":null}`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`0.1`, `0.1000000000000000055511151231257827021181583404541015625`, false},
		{`5e-324`, `0`, false},
		{`1`, `"1"`, false},
		{`null`, `{}`, false},
		{`{}`, `{"a":null}`, false},
		{`{"a":null}`, `{"b":null}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`[]`, `[null]`, false},
		{`[]`, `{}`, false},
		{`""`, `"\u0001"`, false},
		{`"\\u0000"`, `"u0000"`, false},
		{`true`, `false`, false},
		{``, ``, false},
		{`{}`, `{}{}`, false},
		{`{}`, `{`, false},
	} {
		require.Equal(t, c.equal, Equal(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, c.equal, Equal(c.b, c.a), "%s %s", c.b, c.a)
	}
}

func zeros(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}
