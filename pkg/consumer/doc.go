// Package consumer runs one consumer of a consumer group: it reads deliveries
// from a [Source], has a [Handler] deal with them in batches, and settles what
// the handler is done with. What handling means it does not know.
//
// The order of these steps is the whole of its promise, which is at-least-once
// delivery. A delivery is acknowledged only after the handler has declared it
// done, so whatever dies in between leaves it pending, and what is pending is
// delivered again: to the next process of the same name, or, once it has been
// idle for Config.ClaimAfter, to any consumer of the group. A handler must
// therefore be idempotent.
//
// Back-pressure comes from a fixed number of batches in hand: a handler that
// does not get on stops the reading, which bounds the memory. A delivery that
// can be neither handled nor dead-lettered does not hold back its neighbours:
// after a few attempts it is left pending and read again later.
package consumer
