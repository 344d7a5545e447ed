package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventpulse/eventpulse/test/servers"
)

// BenchmarkInsert stores events of about half a kilobyte, one batch after the
// other on one connection.
func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
			s := migrated(b, servers.Database(b))
			events := newEvents(b, size)
			for i := range events {
				events[i].Payload = fmt.Sprintf(
					`{"order":%d,"customer":{"id":"c-%d","name":"O'Brien"},"lines":[%s],"note":"say \"hello\""}`, i, i,
					strings.Repeat(`{"sku":"ab-12","n":3,"price":"12.50"},`, 9)+`null`)
				events[i].Metadata = `{"trace":"4bf92f3577b34da6a3ce929d0e0e4736","host":"web-1"}`
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				b.StopTimer()
				for i := range events {
					events[i].ID = uuid.Must(uuid.NewV7())
				}
				b.StartTimer()
				duplicates, err := s.Insert(b.Context(), events)
				require.NoError(b, err)
				require.Empty(b, duplicates)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
