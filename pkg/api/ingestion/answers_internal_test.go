package ingestion

import (
	"testing"

	"github.com/google/uuid"
)

func BenchmarkAcceptedBatch(b *testing.B) {
	ids := make([]uuid.UUID, 1000)
	for i := range ids {
		ids[i] = uuid.New()
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = acceptedBatch{ids}.appendJSON(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
}
