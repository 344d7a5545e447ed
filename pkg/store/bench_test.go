package store_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/store"
	"github.com/eventpulse/eventpulse/test/servers"
)

// benchEvents returns events of about 230 bytes with ids in the order of time.
func benchEvents(n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			Type: fmt.Sprintf("order.placed.%02d", i%50), Source: fmt.Sprintf("web-%d", i%10),
			Timestamp: time.Date(2026, 3, 1, 12, 30, i%60, i%1000*1000, time.UTC),
			Payload: fmt.Sprintf(`{"page":"/pricing","user_id":"u-%08d","session":"s-%08d",`+
				`"amount":%d.25,"currency":"EUR","items":[1,2,3],"ok":true}`, i, i*7, i%1000),
			Metadata: `{"trace":"4bf92f3577b34da6","host":"web-1"}`,
		}
	}
	return events
}

// BenchmarkInsert stores batches of new events on one connection. One
// operation is one batch.
func BenchmarkInsert(b *testing.B) {
	for _, by := range []string{"COPY", "INSERT"} {
		for _, rows := range []int{1, 10, 100, 1000, 5000} {
			b.Run(fmt.Sprintf("by=%s/rows=%d", by, rows), func(b *testing.B) {
				benchmarkInsert(b, by, rows, 1, 0)
			})
		}
	}
}

// BenchmarkInsertConnections stores batches of 1,000 on two connections.
func BenchmarkInsertConnections(b *testing.B) {
	for _, by := range []string{"COPY", "INSERT"} {
		b.Run("by="+by, func(b *testing.B) { benchmarkInsert(b, by, 1000, 2, 0) })
	}
}

// BenchmarkInsertDuplicates stores batches of 1,000, of which so many percent
// have been stored before.
func BenchmarkInsertDuplicates(b *testing.B) {
	for _, by := range []string{"COPY", "INSERT"} {
		for _, percent := range []int{1, 5, 50, 100} {
			b.Run(fmt.Sprintf("by=%s/percent=%d", by, percent), func(b *testing.B) {
				benchmarkInsert(b, by, 1000, 1, percent)
			})
		}
	}
}

// BenchmarkLookUp looks up batches of ids, of which one in twenty is stored, as
// is done before COPY while duplicates are likely. One operation is one batch.
func BenchmarkLookUp(b *testing.B) {
	for _, stored := range []int{2000, 60_000} {
		url := servers.Database(b)
		s := migrated(b, url)
		old := benchEvents(stored)
		for i := range old {
			old[i].ID = uuid.Must(uuid.NewV7())
		}
		_, err := s.Insert(b.Context(), old)
		require.NoError(b, err)
		for _, ids := range []int{20, 1000} {
			b.Run(fmt.Sprintf("stored=%d/ids=%d", stored, ids), func(b *testing.B) {
				events := make([]event.Event, ids)
				for i := range events {
					events[i].ID = uuid.Must(uuid.NewV7())
					if i%20 == 0 {
						events[i].ID = old[len(old)-ids/20+i/20].ID
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					found, err := store.LookUp(b.Context(), s, events)
					if err != nil || len(found) != ids/20 {
						b.Fatalf("%d found, %v", len(found), err)
					}
				}
				b.ReportMetric(float64(b.N*ids)/b.Elapsed().Seconds(), "ids/s")
			})
		}
	}
}

func benchmarkInsert(b *testing.B, by string, rows, connections, percent int) {
	url := servers.Database(b)
	migrated(b, url)
	if by == "INSERT" {
		url += insertMark
	}
	s := openStore(b, url, func(c *store.Config) { c.MaxConnections = connections })
	require.NoError(b, s.Ping(b.Context()))
	old := benchEvents(rows * percent / 100)
	first, count := uuid.Must(uuid.NewV7()), atomic.Uint64{}
	nextID := func() uuid.UUID { // in order, as those of UUIDv7, and without allocating
		id := first
		binary.BigEndian.PutUint64(id[8:], 1<<63|count.Add(1))
		return id
	}
	for i := range old {
		old[i].ID = nextID()
	}
	_, err := s.Insert(b.Context(), old)
	require.NoError(b, err)

	batches := make([][]event.Event, connections)
	for i := range batches {
		batches[i] = benchEvents(rows)
		copy(batches[i], old)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for _, events := range batches {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				for i := range events[len(old):] {
					events[len(old)+i].ID = nextID()
				}
				inserted, err := s.Insert(b.Context(), events)
				if err != nil || len(inserted.Duplicates) != len(old) {
					b.Errorf("%d duplicates, %v", len(inserted.Duplicates), err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
}
