package coalesce_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
)

// Lines written by many callers share one flush of the file for each batch.
func Example() {
	q := coalesce.New[string](coalesce.Config{
		Queue: coalesce.Size{Items: 10_000, Bytes: 1 << 20},
		Batch: coalesce.Size{Items: 100, Bytes: 64 << 10},
	})
	var server sync.WaitGroup
	server.Go(func() {
		q.Serve(func(batch []*coalesce.Entry[string]) {
			for _, e := range batch {
				fmt.Println("write", e.Value)
			}
			// Here a file would be synced, once for all of them.
			for _, e := range batch {
				e.Complete(nil)
			}
		})
	})

	line := "one line"
	err := q.Do(context.Background(), time.Second, line, coalesce.Size{Items: 1, Bytes: len(line)})
	fmt.Println("done", err)

	q.Close()
	server.Wait()
	// Output:
	// write one line
	// done <nil>
}
