package consumer

import (
	"context"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Handler deals with deliveries. Handle is called concurrently, for at most
// Config.Concurrency batches of a partition at a time, and must be idempotent:
// a delivery comes again whenever it is not known to be settled.
//
// All deliveries of a call are of one partition. What Handle lists as done is
// durable, or needs nothing: it is acknowledged, and never seen again. What it
// lists as rejected can never be handled as it stands: it is moved to the dead
// letters. With a nil error every delivery is in one of the two lists.
//
// With an error, the deliveries in neither list are handled again after a
// pause, so a handler needs no retry of its own. The kind of the error says
// whose fault it is:
//
//   - event.KindUnavailable: something that the handler needs is away, and any
//     other delivery would fare no better. They are kept and tried until it is
//     back, which holds back the reading; an outage costs no delivery anything.
//   - any other kind: the cause may lie in the deliveries themselves. They are
//     tried a few times, then left pending, and read again after a while. A
//     handler should have divided the batch before, to leave as few as it can.
//
// Handle should return soon after ctx has ended, which is when the grace of a
// shutdown is over; what is unsettled then stays pending.
type Handler interface {
	Handle(ctx context.Context, deliveries []event.Delivery) (event.Outcome, error)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(ctx context.Context, deliveries []event.Delivery) (event.Outcome, error)

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, deliveries []event.Delivery) (event.Outcome, error) {
	return f(ctx, deliveries)
}
