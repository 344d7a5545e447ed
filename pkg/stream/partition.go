package stream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Partition is one stream key on one server: a whole stream by itself, with
// groups, trimming and dead letters of its own. Entry ids are unique within a
// partition, so an entry is named by both.
type Partition struct {
	conn   *Conn
	number int

	key    string
	dlqKey string
	groups string // the key of the set of groups that the stream has had

	held      held
	heldAfter time.Duration

	reg     prometheus.Registerer
	metrics *partitionMetrics
}

// Partition returns the partition with that number and key. Metrics of all
// that is made from it go to reg, which may be nil; a registry takes each
// partition once.
func (c *Conn) Partition(number int, key string, reg prometheus.Registerer) (*Partition, error) {
	if key == "" {
		return nil, errors.New("stream.key is empty")
	}
	dlqKey, err := deadLetterKey(key)
	if err != nil {
		return nil, fmt.Errorf("stream.key is %q: %w", key, err)
	}
	groups, err := groupsKey(key)
	if err != nil {
		return nil, fmt.Errorf("stream.key is %q: %w", key, err)
	}
	p := &Partition{conn: c, number: number, key: key, dlqKey: dlqKey, groups: groups, heldAfter: heldAfter}
	p.reg = prometheus.WrapRegistererWith(prometheus.Labels{labelPartition: strconv.Itoa(number)}, reg)
	p.metrics = newPartitionMetrics(p.reg)
	return p, nil
}

// Number is the partition's place in its stream, from 0.
func (p *Partition) Number() int { return p.number }

// Key is the Redis key of the stream.
func (p *Partition) Key() string { return p.key }

// DeadLetterKey is the Redis key of the dead letters.
func (p *Partition) DeadLetterKey() string { return p.dlqKey }

// failed counts what went wrong with an operation, for a group or for none, and
// wraps it for the caller. A server that has become a replica loses its
// connections: after a failover the address leads elsewhere, and a connection
// does not follow by itself.
func (p *Partition) failed(op, group string, err error) error {
	reason := classify(err).reason
	if reason == reasonReadOnly {
		p.conn.dropConnections()
	}
	p.metrics.errors.WithLabelValues(op, reason, group).Inc()
	return unavailable(op, p.key, err)
}

// deadLetterKey returns the key of the dead letters of the stream at key.
func deadLetterKey(key string) (string, error) { return besideKey(key, ":dlq") }

// groupsKey returns the key of the set of groups that the stream at key has had.
func groupsKey(key string) (string, error) { return besideKey(key, ":groups") }

// besideKey returns a key for what belongs to the stream at key. Both must be
// in one cluster slot, because an entry moves between them in one transaction:
// the slot of a key is that of what stands in its first braces
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
func besideKey(key, suffix string) (string, error) {
	open := strings.IndexByte(key, '{')
	if open < 0 && !strings.Contains(key, "}") {
		return "{" + key + "}" + suffix, nil
	}
	if open >= 0 && strings.IndexByte(key[open:], '}') > 1 {
		return key + suffix, nil
	}
	return "", errors.New("braces in it must enclose a cluster hash tag, as in {tag}:events")
}
