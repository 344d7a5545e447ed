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
	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
)

// retryAfter is what an error suggests to whoever would try again.
const retryAfter = time.Second

// Reasons why Redis did not do something: the values of the metric label.
const (
	reasonCanceled   = "canceled"
	reasonClosed     = "closed"
	reasonConflict   = "conflict"
	reasonConnection = "connection"
	reasonNoGroup    = "no_group"
	reasonOther      = "other"
	reasonQueueFull  = "queue_full"
	reasonPermission = "permission"
	reasonReadOnly   = "read_only"
	reasonTimeout    = "timeout"
	reasonWrongType  = "wrong_type"
)

var (
	errClosed    = errors.New("the connection is closed")
	errNoStream  = errors.New("the stream does not exist")
	errNoGroup   = errors.New("the group does not exist on the stream")
	errWrongType = errors.New("the key of the dead letters holds something that is no stream")
)

// rejection is one way in which Redis rejects a command, by the first word of
// its reply (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
type rejection struct {
	reason, detail string
}

func rejectionOf(code string) (rejection, bool) {
	switch code {
	case "OOM":
		return rejection{"out_of_memory", "Redis is out of memory"}, true
	case "MISCONF":
		return rejection{"misconf", "Redis cannot save to disk and rejects writes"}, true
	case "READONLY":
		return rejection{reasonReadOnly, "Redis is a read-only replica"}, true
	case "LOADING":
		return rejection{"loading", "Redis is loading its data"}, true
	case "WRONGTYPE":
		return rejection{reasonWrongType, "the stream's key holds something that is no stream"}, true
	case "NOREPLICAS":
		return rejection{"no_replicas", "Redis has too few replicas to accept writes"}, true
	case "NOGROUP", "UNBLOCKED":
		return rejection{reasonNoGroup, "the consumer group does not exist"}, true
	case "NOAUTH", "WRONGPASS":
		return rejection{"auth", "Redis does not accept the credentials"}, true
	case "NOPERM":
		return rejection{reasonPermission, "the ACL of the Redis user does not permit a command or key that is needed"}, true
	case "BUSY":
		return rejection{"busy", "Redis is busy running a script"}, true
	case "MASTERDOWN", "MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN", "CROSSSLOT":
		return rejection{"cluster", "the Redis node does not serve the stream's key"}, true
	}
	return rejection{}, false
}

// failure is err classified: a bounded reason, the first word of what Redis
// said, if it said anything, and a sentence for a person.
type failure struct {
	reason, code, detail string
}

func classify(err error) failure {
	var reply *rueidis.RedisError
	var netErr net.Error
	switch {
	case errors.Is(err, errNoStream):
		return failure{reason: reasonNoGroup, code: "NOGROUP", detail: "the stream and its consumer group are gone and could not be made again yet"}
	case errors.As(err, &reply):
		return classifyReply(reply.Error())
	case errors.Is(err, errWrongType):
		return failure{reason: reasonWrongType, code: "WRONGTYPE", detail: "the key of the dead letters holds something that is no stream"}
	case errors.Is(err, errNoGroup):
		return failure{reason: reasonNoGroup, code: "NOGROUP", detail: "the consumer group does not exist"}
	case errors.Is(err, errNotReady):
		return failure{reason: reasonNoGroup, detail: "the event stream is not ready yet"}
	case errors.Is(err, errConflict):
		return failure{reason: reasonConflict, detail: "others changed the dead letters at the same time"}
	case errors.Is(err, coalesce.ErrFull):
		return failure{reason: reasonQueueFull, detail: "too many events wait for Redis"}
	case errors.Is(err, errClosed), errors.Is(err, coalesce.ErrClosed), errors.Is(err, rueidis.ErrClosing):
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
	// An EXEC that is rejected itself quotes why.
	if _, cause, ok := strings.Cut(text, "EXECABORT Transaction discarded because of: "); ok {
		text = cause
	}
	code, _, _ := strings.Cut(text, " ")
	if r, ok := rejectionOf(code); ok {
		return failure{reason: r.reason, code: code, detail: r.detail}
	}
	if code != strings.ToUpper(code) {
		code = "ERR" // which the client cuts off
	}
	return failure{reason: reasonOther, code: code, detail: "Redis rejected the command"}
}

// The operations, as they stand in errors and in the metric label.
const (
	opAck         = "acknowledge"
	opClaim       = "claim"
	opDeadLetter  = "dead_letter"
	opDeadLetters = "list_dead_letters"
	opGroup       = "ensure_group"
	opInspect     = "inspect"
	opPending     = "read_pending"
	opPing        = "ping"
	opPublish     = "publish"
	opRead        = "read"
	opReap        = "remove_consumers"
	opRemove      = "remove_dead_letters"
	opReplay      = "replay"
	opStats       = "stats"
	opTail        = "tail"
	opTrim        = "trim"
)

// unavailable wraps what went wrong with an operation on something for the
// caller.
func unavailable(op, subject string, err error) *event.Error {
	f := classify(err)
	return &event.Error{
		Kind: event.KindUnavailable, Detail: f.detail, Code: f.code,
		RetryAfter: retryAfter, Err: fmt.Errorf("%s %s: %w", op, subject, err),
	}
}
