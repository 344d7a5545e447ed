package consumer

import (
	"context"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Source is one partition of a stream as one consumer group sees it. Entry ids
// are unique within a source. Methods may be called concurrently and return
// soon after their context has ended.
type Source interface {
	// EnsureGroup makes the consumer group exist. It is cheap when it does.
	EnsureGroup(ctx context.Context) error
	// Read waits up to block for deliveries that the group has not been given,
	// and returns at most limit of them: none is not an error, and with a block
	// of 0 it does not wait. What a cancelled or failed Read was given stays
	// pending under consumer.
	Read(ctx context.Context, consumer string, limit int, block time.Duration) ([]event.Delivery, error)
	// Pending returns, oldest first, at most limit of the deliveries that
	// consumer was given and has not acknowledged, behind the entry id after;
	// an empty page is the end.
	Pending(ctx context.Context, consumer, after string, limit int) ([]event.Delivery, error)
	// Claim makes consumer the owner of at most limit deliveries that have been
	// idle with any consumer, itself included, for minIdle or longer. It
	// returns the cursor to go on with; "0-0" begins a scan and says that it is
	// complete. A page may be empty before that.
	Claim(ctx context.Context, consumer string, minIdle time.Duration, cursor string, limit int) (page []event.Delivery, next string, err error)
	// Ack removes entries from the pending list of the group and returns how
	// many were on it.
	Ack(ctx context.Context, entryIDs []string) (int64, error)
	// DeadLetter moves deliveries to the dead letters: each is there and no
	// longer pending, or still pending. After an error some may have been
	// moved, and moving those again does nothing.
	DeadLetter(ctx context.Context, rejected []event.Rejection) error
	// Trim removes entries that every group is done with and returns how many.
	Trim(ctx context.Context) (int64, error)
	// RemoveIdleConsumers removes, except one, the consumers that have been
	// idle for so long and have nothing pending, and returns how many.
	RemoveIdleConsumers(ctx context.Context, idle time.Duration, except string) (int, error)
}

// scanStart is the cursor that begins a scan of [Source.Claim], and that says
// it is complete.
const scanStart = "0-0"
