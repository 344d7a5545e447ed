package cmd

import (
	"os"
	"runtime/debug"

	"github.com/eventpulse/eventpulse/pkg/consumer"
)

// baseMemory is what the Go heap of work needs beside the batches in hand.
const baseMemory = 16 << 20

// limitMemory has the garbage collector keep the heap near what the batches in
// hand may take, where it would let it grow to twice that. The limit is a soft
// one (https://go.dev/doc/gc-guide#Memory_limit), and GOMEMLIMIT overrides it.
func limitMemory(c consumer.Config) {
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		debug.SetMemoryLimit(int64(c.Concurrency)*int64(c.BatchBytes) + baseMemory)
	}
}
