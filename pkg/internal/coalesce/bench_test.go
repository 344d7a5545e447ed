package coalesce

import (
	"testing"
	"time"
)

func BenchmarkQueue_Do(b *testing.B) {
	q := New[int](Config{Queue: Size{Items: 50_000, Bytes: 64 << 20}, Batch: Size{Items: 256, Bytes: 1 << 20}})
	defer q.Close()
	for range 8 {
		go q.Serve(func(batch []*Entry[int]) {
			for _, e := range batch {
				e.Complete(nil)
			}
		})
	}
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := q.Do(b.Context(), time.Second, 1, one(100)); err != nil {
				b.Error(err)
			}
		}
	})
}
