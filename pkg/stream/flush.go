package stream

import (
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/fault"
	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
)

// request is the events of one call of Publish.
type request = coalesce.Entry[[]event.Event]

// flusher owns one pipeline at a time, and the memory to build it in.
type flusher struct {
	producer *Producer
	cmds     []rueidis.Completed
	fields   []string
}

// flush sends the events of batch as one pipeline and answers every request.
// It never gives up waiting: a connection that stays silent is closed from
// below, and until then nothing more is put on it.
func (f *flusher) flush(batch []*request) {
	p := f.producer
	f.cmds = f.cmds[:0]
	for _, r := range batch {
		for i := range r.Value {
			f.cmds = append(f.cmds, f.xadd(&r.Value[i]))
		}
	}
	p.metrics.pipelineEvents.Observe(float64(len(f.cmds)))
	fault.Point(fault.PublishBefore)
	replies := p.pipes.DoMulti(context.Background(), f.cmds...)
	if slices.ContainsFunc(replies, withoutStream) {
		f.restore(batch, replies)
	}
	fault.Point(fault.PublishAfter)
	if f.answer(batch, replies) {
		// A broken connection's writer may still be reading the commands.
		f.cmds = nil
	}
}

// answer completes each request with the first error among its replies, and
// reports whether there was any.
func (f *flusher) answer(batch []*request, replies []rueidis.RedisResult) (failed bool) {
	for _, r := range batch {
		var err error
		for _, reply := range replies[:r.Size.Items] {
			if err = reply.Error(); err != nil {
				failed = true
				break
			}
		}
		if rueidis.IsRedisNil(err) {
			err = errNoStream
		}
		replies = replies[r.Size.Items:]
		r.Complete(err)
	}
	return failed
}

// withoutStream says whether an XADD found no stream to add to.
func withoutStream(reply rueidis.RedisResult) bool { return rueidis.IsRedisNil(reply.Error()) }

// restore makes the stream again, its groups first, and sends what found none.
// The replies that it gets take the place of those there were.
func (f *flusher) restore(batch []*request, replies []rueidis.RedisResult) {
	p := f.producer
	ctx, cancel := context.WithTimeout(p.life, p.p.conn.cfg.Timeout)
	defer cancel()
	if err := p.Prepare(ctx); err != nil {
		p.p.conn.log.Warn("the stream is gone and cannot be made again yet", "stream", p.p.key, "error", err)
		return
	}
	var cmds []rueidis.Completed
	var places []int
	at := 0
	for _, r := range batch {
		for i := range r.Value {
			if withoutStream(replies[at]) {
				cmds = append(cmds, f.xadd(&r.Value[i]))
				places = append(places, at)
			}
			at++
		}
	}
	for i, reply := range p.pipes.DoMulti(context.Background(), cmds...) {
		replies[places[i]] = reply
	}
}

// xadd builds the command that appends e (https://redis.io/docs/latest/commands/xadd/).
// It sets no MAXLEN: that would drop events nobody has stored. It makes no
// stream: one that is gone took its groups with it, and a group made later
// could start behind what was added before.
func (f *flusher) xadd(e *event.Event) rueidis.Completed {
	f.fields = e.AppendFields(f.fields[:0])
	return xadd(f.producer.pipes, f.producer.p.key, f.fields)
}

// xadd builds the command that appends an entry of those fields to a stream
// that exists.
func xadd(redis rueidis.Client, key string, fields []string) rueidis.Completed {
	cmd := redis.B().Xadd().Key(key).Nomkstream().Id("*").FieldValue()
	for i := 0; i+1 < len(fields); i += 2 {
		cmd = cmd.FieldValue(fields[i], fields[i+1])
	}
	return cmd.Build()
}
