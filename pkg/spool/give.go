package spool

import (
	"context"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// give hands events to the stream. A panic becomes an error: the drainer has
// nobody above it, and one request is no reason to lose what the others wait
// for.
func (s *Spool) give(ctx context.Context, timeout time.Duration, events []event.Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("publish panicked: %v", p)
		}
	}()
	return s.next.PublishWithin(ctx, timeout, events)
}
