package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
)

func TestVerify_FindsWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		r := f.run(t.Context(), func(o *Options) { atRate(1000)(o); o.Connections, o.Batch = 3, 10 }, f)
		require.NoError(t, r.Err())
		v := r.Verification
		require.EqualValues(t, 10_000, v.Checked)
		require.EqualValues(t, 10_000, v.Accepted)
		require.Zero(t, v.Missing+v.Altered+v.Repeated)
		require.Positive(t, v.Visible.Samples)
		require.Zero(t, v.Visible.Unseen)
		require.LessOrEqual(t, v.Visible.Latency.Max, 10.0) // one look later
		require.LessOrEqual(t, v.Visible.Within, 10.0)
	})
}

func TestVerify_NamesMissingAndAlteredEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		var lost, altered []uuid.UUID
		n := 0
		f.keep = func(e *event.Event) bool {
			switch n++; {
			case n%400 == 0:
				lost = append(lost, e.ID)
				return false
			case n%500 == 0:
				altered = append(altered, e.ID)
				e.Payload = `{}`
			}
			return true
		}
		r := f.run(t.Context(), atRate(100), f)
		v := r.Verification
		require.EqualValues(t, 1000, v.Checked)
		require.EqualValues(t, 2, v.Missing)
		require.ElementsMatch(t, lost, v.MissingIDs)
		require.EqualValues(t, 2, v.Altered)
		require.ElementsMatch(t, altered, v.AlteredIDs)
		require.InDelta(t, 60, v.Seconds, 0.1) // was waited for
		require.ErrorContains(t, r.Err(), "2 accepted events are missing")
		require.ErrorContains(t, r.Err(), "2 events are stored otherwise")
		require.Equal(t, "DELETE FROM events WHERE source = '"+r.Source+"'", r.Cleanup)
	})
}

func TestVerify_WaitsForLateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		late := &lateDatabase{fake: f, at: time.Now().Add(30 * time.Second)}
		r := f.run(t.Context(), atRate(100), late)
		require.NoError(t, r.Err())
		require.InDelta(t, 20, r.Verification.Seconds, 0.3)
		require.Zero(t, r.Verification.Visible.Unseen)
		require.InDelta(t, 30_000, r.Verification.Visible.Latency.Max, 100)
	})
}

// lateDatabase has nothing before its time, and fails now and then.
type lateDatabase struct {
	*fake
	at    time.Time
	calls int
}

func (d *lateDatabase) Find(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	d.mu.Lock()
	d.calls++
	calls := d.calls
	d.mu.Unlock()
	if calls%5 == 0 {
		return nil, errors.New("away")
	}
	if time.Now().Before(d.at) {
		return nil, nil
	}
	return d.fake.Find(ctx, ids)
}

func TestVerify_LooksForEventsThatWereNotAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(n int, _ bool) int {
			if n == 1 {
				return 503
			}
			if n == 2 {
				return 400
			}
			return 202
		}
		r := f.run(t.Context(), func(o *Options) { atRate(1)(o); o.Duration = 3 * time.Second }, everything{f})
		v := r.Verification
		require.EqualValues(t, 1, v.UnclearStored)
		require.EqualValues(t, 1, v.RejectedStored)
		require.ErrorContains(t, r.Err(), "1 events were rejected and stored all the same")
		require.EqualValues(t, 3, v.Repeated)
		require.ErrorContains(t, r.Err(), "3 events are stored twice")
	})
}

// everything has whatever it is asked for, twice.
type everything struct{ *fake }

func (everything) Find(_ context.Context, ids []uuid.UUID) ([]event.Event, error) {
	var found []event.Event
	for _, id := range ids {
		found = append(found, event.Event{ID: id}, event.Event{ID: id})
	}
	return found, nil
}

func TestVerify_ReportsADatabaseThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		r := f.run(t.Context(), atRate(10), gone{})
		require.ErrorContains(t, r.Err(), "0 of 100 accepted events were checked: gone")
		require.Positive(t, r.Verification.Visible.Unseen)
	})
}

type gone struct{}

func (gone) Find(context.Context, []uuid.UUID) ([]event.Event, error) { return nil, errors.New("gone") }
