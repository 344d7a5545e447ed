package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
)

func sampleEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: uuid.Must(uuid.NewV7()), Type: "t", Source: "s", Timestamp: time.Now().UTC().Truncate(time.Microsecond), Payload: "{}", Metadata: "{}",
		}
	}
	return events
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// deadLetter returns the nth dead letter, dead-lettered n minutes after start.
func deadLetter(n int, change ...string) stream.DeadLetter {
	at := start.Add(time.Duration(n) * time.Minute)
	l := stream.DeadLetter{ID: fmt.Sprintf("%d-0", at.UnixMilli()), FirstSeen: at.Add(-time.Hour), DeadLetteredAt: at, Deliveries: 2}
	l.EntryID, l.Reason, l.Code, l.Message = fmt.Sprintf("%d-7", l.FirstSeen.UnixMilli()), event.ReasonRejected, "22P05", "it cannot be stored"
	l.Fields = sampleEvents(1)[0].AppendFields(nil)
	for i := 0; i < len(change); i += 2 {
		for j := 0; j < len(l.Fields); j += 2 {
			if l.Fields[j] == change[i] {
				l.Fields[j+1] = change[i+1]
			}
		}
	}
	return l
}

// fakeStore keeps dead letters in memory, and what went back on the stream. It
// fails before taking effect or after.
type fakeStore struct {
	letters     []stream.DeadLetter
	back        []stream.DeadLetter
	pages       int
	cannot      string // the id of a letter that cannot be put back
	err         error
	takesEffect bool
	deadLetters bool // what goes back is dead-lettered again at once
}

func (f *fakeStore) Range(context.Context) (int64, string, error) {
	last := ""
	if n := len(f.letters); n > 0 {
		last = f.letters[n-1].ID
	}
	return int64(len(f.letters)), last, nil
}

func (f *fakeStore) List(_ context.Context, after string, limit int) ([]stream.DeadLetter, error) {
	f.pages++
	var page []stream.DeadLetter
	for _, l := range f.letters {
		if (after == "" || stream.CompareIDs(after, l.ID) < 0) && len(page) < limit {
			page = append(page, l)
		}
	}
	return page, nil
}

func (f *fakeStore) Get(_ context.Context, id string) (stream.DeadLetter, bool, error) {
	for _, l := range f.letters {
		if l.ID == id {
			return l, true, nil
		}
	}
	return stream.DeadLetter{}, false, nil
}

func (f *fakeStore) take(id string) bool {
	for i, l := range f.letters {
		if l.ID == id {
			f.letters = append(f.letters[:i:i], f.letters[i+1:]...)
			return true
		}
	}
	return false
}

func (f *fakeStore) Remove(_ context.Context, ids []string) (n int64, err error) {
	if f.err != nil && !f.takesEffect {
		return 0, f.err
	}
	for _, id := range ids {
		if f.take(id) {
			n++
		}
	}
	return n, f.err
}

func (f *fakeStore) Replay(_ context.Context, letters ...stream.DeadLetter) (n int64, err error) {
	for _, l := range letters {
		if l.ID == f.cannot {
			return 0, &event.Error{Kind: event.KindInvalid, Detail: "cannot be put back"}
		}
	}
	if f.err != nil && !f.takesEffect {
		return 0, f.err
	}
	for _, l := range letters {
		if f.take(l.ID) {
			f.back = append(f.back, l)
			if f.deadLetters {
				again := deadLetter(1000 + len(f.back))
				again.Fields = l.Fields
				f.letters = append(f.letters, again)
			}
			n++
		}
	}
	return n, f.err
}

func idsOf(letters []stream.DeadLetter) (ids []string) {
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	return ids
}

func serviceOf(f *fakeStore) *Service {
	s := New(f, event.DefaultLimits())
	s.now = func() time.Time { return start.Add(24 * time.Hour) }
	return s
}
