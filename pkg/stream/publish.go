package stream

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
)

const (
	// flushers is how many pipelines may be in flight. While one waits for
	// its replies the next is filled, by which pipelines grow with the load
	// and cost nothing without it.
	flushers = 1 << pipesLog2
	// pipesLog2 is the binary logarithm of the number of connections that
	// pipelines are spread over.
	pipesLog2 = 3
	// pipeBuffer is the size in bytes of each of a connection's two buffers.
	pipeBuffer = 64 << 10
)

// Publish puts events on the stream, in order. When it returns nil, Redis has
// confirmed every one of them. After an error none, some or all may be on the
// stream, then or a little later: publishing them again is for the caller to
// decide, and may put them there twice.
//
// It returns within Config.PublishTimeout, or when ctx ends, however Redis
// behaves; it fails at once when too much waits for Redis already. The caller
// must not change events afterwards.
func (c *Client) Publish(ctx context.Context, events []event.Event) error {
	return c.PublishWithin(ctx, c.cfg.PublishTimeout, events)
}

// PublishWithin is Publish with a time limit of the caller's instead of
// Config.PublishTimeout. The error of one that ran out wraps
// os.ErrDeadlineExceeded.
func (c *Client) PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	start := time.Now()
	err := c.publish(ctx, timeout, newRequest(events))
	c.metrics.publishSeconds.Observe(time.Since(start).Seconds())
	if err != nil {
		return c.unavailable(opPublish, err)
	}
	c.metrics.published.Add(float64(len(events)))
	return nil
}

// publish queues r and waits for its answer beside a timer of its own, because
// a connection that hangs keeps no deadline.
func (c *Client) publish(ctx context.Context, timeout time.Duration, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.queue.put(r); err != nil {
		return err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var err error
	select {
	case err := <-r.done:
		return err
	case <-timer.C:
		err = fmt.Errorf("no answer for %s: %w", timeout, os.ErrDeadlineExceeded)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !r.abandon() {
		select {
		case answer := <-r.done: // just in time
			return answer
		default:
		}
	}
	return err
}

// flushLoop sends pipelines until the queue is closed and empty.
func (c *Client) flushLoop() {
	f := &flusher{client: c}
	for {
		batch := c.queue.take(f.batch[:0])
		if len(batch) == 0 {
			return
		}
		f.flush(batch)
		c.queue.release()
		clear(batch)
		f.batch = batch
	}
}

// flusher owns one pipeline at a time, and the memory to build it in.
type flusher struct {
	client *Client
	batch  []*request
	cmds   []rueidis.Completed
	fields []string
}

// flush sends the events of batch as one pipeline and answers every request.
// It never gives up waiting: a connection that stays silent is closed from
// below, and until then nothing more is put on it.
func (f *flusher) flush(batch []*request) {
	c := f.client
	f.cmds = f.cmds[:0]
	for _, r := range batch {
		for i := range r.events {
			f.cmds = append(f.cmds, f.xadd(&r.events[i]))
		}
	}
	c.metrics.pipelineEvents.Observe(float64(len(f.cmds)))
	fault.Point(fault.PublishBefore)
	replies := c.pipes.DoMulti(context.Background(), f.cmds...)
	if slices.ContainsFunc(replies, withoutStream) {
		f.restore(batch, replies)
	}
	fault.Point(fault.PublishAfter)

	failed := false
	for _, r := range batch {
		var err error
		for _, reply := range replies[:r.count] {
			if err = reply.Error(); err != nil {
				failed = true
				break
			}
		}
		if rueidis.IsRedisNil(err) {
			err = errNoStream
		}
		replies = replies[r.count:]
		r.done <- err
	}
	if failed {
		// A broken connection's writer may still be reading the commands.
		f.cmds = nil
	}
}

// withoutStream says whether an XADD found no stream to add to.
func withoutStream(reply rueidis.RedisResult) bool { return rueidis.IsRedisNil(reply.Error()) }

// restore makes the stream again, its group first, and sends what found none.
// The replies that it gets take the place of those there were.
func (f *flusher) restore(batch []*request, replies []rueidis.RedisResult) {
	c := f.client
	ctx, cancel := context.WithTimeout(c.life, c.redisCfg.Timeout)
	defer cancel()
	if err := c.EnsureGroup(ctx); err != nil {
		c.log.Warn("the stream is gone and cannot be made again yet", "stream", c.cfg.Key, "error", err)
		return
	}
	var cmds []rueidis.Completed
	var places []int
	at := 0
	for _, r := range batch {
		for i := range r.events {
			if withoutStream(replies[at]) {
				cmds = append(cmds, f.xadd(&r.events[i]))
				places = append(places, at)
			}
			at++
		}
	}
	for i, reply := range c.pipes.DoMulti(context.Background(), cmds...) {
		replies[places[i]] = reply
	}
}

// xadd builds the command that appends e. It sets no MAXLEN: that would drop
// events nobody has stored. It makes no stream: one that is gone took its group
// with it, and a group made later could start behind what was added before.
func (f *flusher) xadd(e *event.Event) rueidis.Completed {
	f.fields = e.AppendFields(f.fields[:0])
	cmd := f.client.redis.B().Xadd().Key(f.client.cfg.Key).Nomkstream().Id("*").FieldValue()
	for i := 0; i+1 < len(f.fields); i += 2 {
		cmd = cmd.FieldValue(f.fields[i], f.fields[i+1])
	}
	return cmd.Build()
}
