package deadletter

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/stream"
	"github.com/eventpulse/eventpulse/test/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

func TestEach_Selects(t *testing.T) {
	store := &fakeStore{}
	for n := range 250 {
		store.letters = append(store.letters, deadLetter(n))
	}
	store.letters[7] = deadLetter(7, event.FieldType, "sign_up")
	store.letters[8] = deadLetter(8, event.FieldSource, "web")
	store.letters[120].Reason, store.letters[120].Code = event.ReasonUnreadable, ""
	store.letters[33].Group = "audit"
	store.letters[249] = deadLetter(249, event.FieldType, "sign_up", event.FieldSource, "web")
	for _, tt := range []struct {
		name  string
		s     Selection
		from  int
		count int
		pages int
	}{
		{"all", Selection{}, 0, 250, 4},
		{"limit", Selection{Limit: 3}, 0, 3, 1},
		{"limit of a page", Selection{Limit: 100}, 0, 100, 2},
		{"type", Selection{Type: "sign_up"}, 7, 2, 4},
		{"source", Selection{Source: "web"}, 8, 2, 4},
		{"both", Selection{Type: "sign_up", Source: "web"}, 249, 1, 4},
		{"reason", Selection{Reason: event.ReasonUnreadable}, 120, 1, 4},
		{"group", Selection{Group: "audit"}, 33, 1, 4},
		{"code", Selection{Reason: "22P05", Limit: 5}, 0, 5, 1},
		{"newer", Selection{NewerThan: 24*time.Hour - 100*time.Minute - time.Second}, 101, 149, 3},
		{"older", Selection{OlderThan: 24*time.Hour - 10*time.Minute}, 0, 10, 1},
		{"between", Selection{NewerThan: 24*time.Hour - 10*time.Minute + time.Second, OlderThan: 24*time.Hour - 20*time.Minute}, 10, 10, 1},
		{"id", Selection{IDs: []string{store.letters[5].ID}}, 5, 1, 0},
		{"nothing", Selection{Type: "none"}, 0, 0, 4},
	} {
		store.pages = 0
		var got []stream.DeadLetter
		var looked, total int64
		err := serviceOf(store).Each(t.Context(), tt.s, func(l, n int64) { looked, total = l, n }, func(page []stream.DeadLetter) error {
			require.LessOrEqual(t, len(page), pageSize)
			got = append(got, page...)
			return nil
		})
		require.NoError(t, err, tt.name)
		require.Len(t, got, tt.count, tt.name)
		if tt.count > 0 {
			require.Equal(t, store.letters[tt.from].ID, got[0].ID, tt.name)
		}
		require.Equal(t, tt.pages, store.pages, tt.name)
		require.LessOrEqual(t, looked, total, tt.name)
	}
	require.True(t, Selection{Limit: 3}.All())
	require.False(t, Selection{Type: "x"}.All())
}

func TestService_UnknownIDIsNotFound(t *testing.T) {
	_, err := serviceOf(&fakeStore{}).Get(t.Context(), "1-1")
	require.ErrorContains(t, err, `"1-1"`)
	_, err = serviceOf(&fakeStore{}).Replay(t.Context(), Selection{IDs: []string{"1-1"}}, false, nil)
	require.ErrorContains(t, err, `"1-1"`)
	_, err = serviceOf(&fakeStore{}).Purge(t.Context(), Selection{IDs: []string{"1-1"}}, false, nil)
	require.ErrorContains(t, err, `"1-1"`)
	_, err = serviceOf(&fakeStore{}).Mend(t.Context(), "1-1", nil, false)
	require.ErrorContains(t, err, `"1-1"`)
}

func TestPurge_RemovesWhatIsSelected(t *testing.T) {
	store := &fakeStore{}
	for n := range 120 {
		store.letters = append(store.letters, deadLetter(n))
	}
	d := serviceOf(store)
	p, err := d.Purge(t.Context(), Selection{OlderThan: 24*time.Hour - 110*time.Minute}, true, nil)
	require.NoError(t, err)
	require.Equal(t, Purged{DryRun: true, Matched: 110, Removed: 110}, p)
	require.Len(t, store.letters, 120)
	p, err = d.Purge(t.Context(), Selection{OlderThan: 24*time.Hour - 110*time.Minute}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Purged{Matched: 110, Removed: 110}, p)
	require.Len(t, store.letters, 10)
}

func TestService_OnRedis(t *testing.T) {
	redis := servers.Redis(t)
	cfg := stream.DefaultRedisConfig()
	cfg.URL = redis.URL()
	conn, err := stream.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer conn.Close()
	partition, err := conn.Partition(0, "events_stream", nil)
	require.NoError(t, err)
	group, err := stream.NewGroup(partition, "event_persister", "$")
	require.NoError(t, err)
	producer, err := stream.NewProducer(partition, stream.DefaultConfig(), group)
	require.NoError(t, err)
	defer producer.Close()
	store := stream.NewDeadLetters(group)
	d := New(store, event.DefaultLimits())

	// Nothing there yet.
	r, err := d.Replay(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Zero(t, r)
	p, err := d.Purge(t.Context(), Selection{}, false, nil)
	require.NoError(t, err)
	require.Zero(t, p)

	require.NoError(t, producer.Prepare(t.Context()))
	require.NoError(t, producer.Publish(t.Context(), sampleEvents(250)))
	got, err := group.Read(t.Context(), "w", 250, time.Second)
	require.NoError(t, err)
	require.Len(t, got, 250)
	var dead []event.Rejection
	for i, delivery := range got {
		reason := event.ReasonRejected
		if i%5 == 0 {
			reason = event.ReasonUnreadable
			delivery.Fields = []string{"hello", "world"}
		}
		dead = append(dead, event.Rejection{Delivery: delivery, Reason: reason})
	}
	require.NoError(t, group.DeadLetter(t.Context(), dead))

	r, err = d.Replay(t.Context(), Selection{Reason: event.ReasonRejected, Limit: 20}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 20, Replayed: 20}, r)
	r, err = d.Replay(t.Context(), Selection{NewerThan: time.Hour}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Replayed{Matched: 230, Replayed: 180, Unreadable: 50}, r)
	again, err := group.Read(t.Context(), "w", 1000, time.Second)
	require.NoError(t, err)
	require.Len(t, again, 200)

	p, err = d.Purge(t.Context(), Selection{OlderThan: time.Hour}, false, nil)
	require.NoError(t, err)
	require.Zero(t, p.Removed)
	p, err = d.Purge(t.Context(), Selection{Reason: event.ReasonUnreadable}, false, nil)
	require.NoError(t, err)
	require.Equal(t, Purged{Matched: 50, Removed: 50}, p)
	n, _, err := store.Range(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}
