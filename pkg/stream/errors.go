package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// retryAfter is what an error suggests to whoever would try again.
const retryAfter = time.Second

// Reasons why Redis did not do something: the values of the metric label.
const (
	reasonCanceled   = "canceled"
	reasonClosed     = "closed"
	reasonConnection = "connection"
	reasonOther      = "other"
	reasonQueueFull  = "queue_full"
	reasonReadOnly   = "read_only"
	reasonTimeout    = "timeout"
)

var (
	errClosed    = errors.New("the client is closed")
	errNoStream  = errors.New("the stream does not exist")
	errQueueFull = errors.New("the queue to Redis is full")
	errStalled   = fmt.Errorf("nothing in flight was answered: %w", os.ErrDeadlineExceeded)
)

// refusal is one way in which Redis refuses, by the first word of its reply.
type refusal struct {
	reason, detail string
}

func refusals(code string) (refusal, bool) {
	switch code {
	case "OOM":
		return refusal{"out_of_memory", "Redis is out of memory"}, true
	case "MISCONF":
		return refusal{"misconf", "Redis cannot save to disk and refuses writes"}, true
	case "READONLY":
		return refusal{reasonReadOnly, "Redis is a read-only replica"}, true
	case "LOADING":
		return refusal{"loading", "Redis is loading its data"}, true
	case "WRONGTYPE":
		return refusal{"wrong_type", "the stream's key holds something that is no stream"}, true
	case "NOREPLICAS":
		return refusal{"no_replicas", "Redis has too few replicas to accept writes"}, true
	case "NOGROUP", "UNBLOCKED":
		return refusal{"no_group", "the consumer group does not exist"}, true
	case "NOAUTH", "WRONGPASS", "NOPERM":
		return refusal{"auth", "Redis does not accept the credentials"}, true
	case "BUSY":
		return refusal{"busy", "Redis is busy running a script"}, true
	case "MASTERDOWN", "MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "CROSSSLOT":
		return refusal{"cluster", "the Redis node does not serve the stream's key"}, true
	}
	return refusal{}, false
}

// failure is err told apart: a bounded reason, the first word of what Redis
// said, if it said anything, and a sentence for a person.
type failure struct {
	reason, code, detail string
}

func classify(err error) failure {
	var reply *rueidis.RedisError
	var netErr net.Error
	switch {
	case errors.Is(err, errNoStream):
		return failure{reason: "no_group", code: "NOGROUP", detail: "the stream and its consumer group are gone and could not be made again yet"}
	case errors.As(err, &reply):
		return classifyReply(reply.Error())
	case errors.Is(err, errQueueFull):
		return failure{reason: reasonQueueFull, detail: "too many events wait for Redis"}
	case errors.Is(err, errClosed), errors.Is(err, rueidis.ErrClosing):
		return failure{reason: reasonClosed, detail: "the stream is being closed"}
	case errors.Is(err, context.Canceled):
		return failure{reason: reasonCanceled, detail: "the request to Redis was given up"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return failure{reason: reasonTimeout, detail: "Redis did not answer in time"}
	case errors.Is(err, errUnexpected):
		return failure{reason: reasonOther, detail: "Redis answered something unexpected"}
	default:
		return failure{reason: reasonConnection, detail: "Redis cannot be reached"}
	}
}

func classifyReply(text string) failure {
	code, _, _ := strings.Cut(text, " ")
	if r, ok := refusals(code); ok {
		return failure{reason: r.reason, code: code, detail: r.detail}
	}
	if code != strings.ToUpper(code) {
		code = "ERR" // which the client cuts off
	}
	return failure{reason: reasonOther, code: code, detail: "Redis refused"}
}

// The operations, as they stand in errors and in the metric label.
const (
	opAck       = "acknowledge"
	opBury      = "bury"
	opClaim     = "claim"
	opDelete    = "remove_dead_letters"
	opGroup     = "ensure_group"
	opInspect   = "inspect"
	opLetters   = "dead_letters"
	opPending   = "read_pending"
	opPing      = "ping"
	opPublish   = "publish"
	opRead      = "read"
	opReap      = "remove_consumers"
	opRepublish = "republish"
	opStats     = "stats"
	opTrim      = "trim"
)

// unavailable counts what went wrong with an operation and wraps it for the
// caller. A server that has become a replica loses its connections: after a
// failover the address leads elsewhere, and a connection does not follow by
// itself.
func (c *Client) unavailable(op string, err error) *event.Error {
	f := classify(err)
	if f.reason == reasonReadOnly {
		c.dialer.drop()
	}
	c.metrics.errors.WithLabelValues(op, f.reason).Inc()
	return &event.Error{
		Kind: event.KindUnavailable, Detail: f.detail, Code: f.code,
		RetryAfter: retryAfter, Err: fmt.Errorf("%s %s: %w", op, c.cfg.Key, err),
	}
}
