package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
	"github.com/eventpulse/eventpulse/pkg/internal/coalesce"
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

	// What a pipeline holds at most, unless one request alone holds more.
	pipelineEvents = 256
	pipelineBytes  = 1 << 20

	// eventOverhead is about what an event costs on the wire and in the
	// queue beside its own text, in bytes.
	eventOverhead = 192
)

// Producer puts events on a partition.
//
// It owns an invariant: nothing is published before the consumer groups exist.
// A group that starts at the stream's end never sees what was added before it,
// so an event published too early would be accepted and never stored. Three
// guards keep it:
//
//   - until every group has been made sure of once, publishing fails at once;
//   - [Producer.Run] then looks every few seconds whether they still exist;
//   - XADD never makes a stream (NOMKSTREAM): one that is gone took its groups
//     with it, and both are made again, the groups first, before anything is
//     added.
type Producer struct {
	p       *Partition
	cfg     Config
	groups  []*Group
	metrics *producerMetrics
	pipes   rueidis.Client // of the flushers
	queue   *coalesce.Queue[[]event.Event]

	ready   atomic.Bool // every group has existed
	failure atomic.Pointer[publishFailure]

	life     context.Context // ends with Close, once it waits no longer
	end      context.CancelFunc
	flushers sync.WaitGroup
	once     sync.Once
}

// NewProducer returns a producer that publishes to p once groups exist, which
// [Producer.Run] or [Producer.Prepare] sees to. It must be closed.
func NewProducer(p *Partition, cfg Config, groups ...*Group) (*Producer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	pipes, err := openPipes(p.conn)
	if err != nil {
		return nil, err
	}
	m := newProducerMetrics(p.reg)
	producer := &Producer{p: p, cfg: cfg, groups: groups, metrics: m, pipes: pipes}
	producer.queue = coalesce.New[[]event.Event](coalesce.Config{
		Queue:   coalesce.Size{Items: cfg.QueueEvents, Bytes: cfg.QueueBytes},
		Batch:   coalesce.Size{Items: pipelineEvents, Bytes: pipelineBytes},
		Observe: func(events int) { m.queuedEvents.Add(float64(events)) },
	})
	producer.life, producer.end = context.WithCancel(context.Background())
	for range flushers {
		f := &flusher{producer: producer}
		producer.flushers.Go(func() { producer.queue.Serve(f.flush) })
	}
	return producer, nil
}

// openPipes makes the client that publishes, with connections of its own: what
// else is asked of Redis does not wait behind pipelines, and who publishes
// nothing has none of them.
//
// Redis takes up to 16 KiB from each connection, about 50 events, before it
// writes to its disk. With appendfsync always it syncs each time, so the more
// connections, the more events share a sync: two took 139,000 events/s where
// eight take 208,000, of 306,000 without.
func openPipes(c *Conn) (rueidis.Client, error) {
	return c.newClient(func(opt *rueidis.ClientOption) {
		opt.PipelineMultiplex = pipesLog2
		opt.ReadBufferEachConn, opt.WriteBufferEachConn = pipeBuffer, pipeBuffer
	})
}

// Publish puts events on the stream, in order. When it returns nil, Redis has
// confirmed every one of them. After an error none, some or all may be on the
// stream, then or a little later: publishing them again is for the caller to
// decide, and may put them there twice.
//
// It returns within Config.PublishTimeout, or when ctx ends, however Redis
// behaves; it fails at once when too much waits for Redis already, and before
// the groups exist. The caller must not change events afterwards.
func (p *Producer) Publish(ctx context.Context, events []event.Event) error {
	return p.PublishWithin(ctx, p.cfg.PublishTimeout, events)
}

// PublishWithin is Publish with a time limit of the caller's instead of
// Config.PublishTimeout. The error of one that ran out wraps
// os.ErrDeadlineExceeded.
func (p *Producer) PublishWithin(ctx context.Context, timeout time.Duration, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	start := time.Now()
	err := p.publish(ctx, timeout, events)
	p.metrics.publishSeconds.Observe(time.Since(start).Seconds())
	if err != nil {
		err = p.p.failed(opPublish, "", err)
		p.failure.Store(&publishFailure{err, time.Now()})
		return err
	}
	if p.failure.Load() != nil {
		p.failure.Store(nil)
	}
	p.metrics.published.Add(float64(len(events)))
	return nil
}

// publish queues events and waits for their answer beside a timer of its own,
// because a connection that hangs keeps no deadline.
func (p *Producer) publish(ctx context.Context, timeout time.Duration, events []event.Event) error {
	if !p.ready.Load() {
		return errNotReady
	}
	size := coalesce.Size{Items: len(events)}
	for i := range events {
		e := &events[i]
		size.Bytes += eventOverhead + len(e.Type) + len(e.Source) + len(e.Payload) + len(e.Metadata)
	}
	return p.queue.Do(ctx, timeout, events, size)
}

// Close sends what still waits to be published, for at most
// Config.PublishTimeout, and closes the connections. Publishing after it fails.
// It takes a few seconds at most when Redis hangs.
func (p *Producer) Close() {
	p.once.Do(func() {
		p.queue.Close()
		drained := make(chan struct{})
		go func() { p.flushers.Wait(); close(drained) }()
		timeout := time.NewTimer(p.cfg.PublishTimeout)
		defer timeout.Stop()
		select {
		case <-drained:
		case <-timeout.C:
		}
		p.end()
		p.pipes.Close()
	})
	p.flushers.Wait()
}
