// Package stream speaks Redis Streams: it publishes events, and hands them to
// the consumers of one group until they are acknowledged.
//
// Every error is an [event.Error] of kind KindUnavailable: what Redis does not
// do now it may do later, and nothing here decides how often to ask. Its Code
// is the first word of what Redis said ("OOM", "READONLY", "NOGROUP"), empty
// when Redis said nothing.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
)

// Client is one stream on one Redis server. Its methods may be called
// concurrently, and return when their context ends whatever Redis does.
type Client struct {
	redisCfg RedisConfig
	cfg      Config
	dlqKey   string
	groups   string // the key of the set of groups that the stream has had
	log      *slog.Logger
	metrics  *metrics
	redis    rueidis.Client
	pipes    rueidis.Client // of the flushers
	dialer   *dialer
	queue    *queue

	// ensuring holds one token, for whoever looks after the group.
	ensuring  chan struct{}
	groupSeen atomic.Bool
	noted     atomic.Bool // the group is in the set of those there have been
	advise    sync.Once

	// life ends when the client is closed, and with it every call to Redis.
	life     context.Context
	end      context.CancelFunc
	mu       sync.RWMutex
	closed   bool
	calls    sync.WaitGroup
	flushers sync.WaitGroup
}

// New returns a client that has not connected yet: Redis may be down, and is
// dialled at the first use and whenever a connection was lost. Metrics go to
// reg, which may be nil; clients on one registry share them. The client must
// be closed.
func New(redis RedisConfig, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Client, error) {
	if err := errors.Join(redis.Validate(), cfg.Validate()); err != nil {
		return nil, err
	}
	opt, err := parseURL(redis.URL)
	if err != nil {
		return nil, err
	}
	dlqKey, err := deadLetterKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	groups, err := groupsKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	d := newDialer(opt.DialCtxFn)
	conn, err := open(opt, redis, d)
	if err != nil {
		return nil, err
	}
	// Both are made before the dialer starts: it refuses until then, so that
	// neither connects before its first use.
	pipes, err := openPipes(opt, redis, d)
	if err != nil {
		conn.Close()
		return nil, err
	}
	d.start()
	c := &Client{
		redisCfg: redis, cfg: cfg, dlqKey: dlqKey, groups: groups, log: log, metrics: m, redis: conn, pipes: pipes, dialer: d,
		queue:    newQueue(cfg, m.queuedEvents),
		ensuring: make(chan struct{}, 1),
	}
	c.life, c.end = context.WithCancel(context.Background())
	if err := registerStats(reg, c); err != nil {
		conn.Close()
		pipes.Close()
		return nil, err
	}
	for range flushers {
		c.flushers.Go(c.flushLoop)
	}
	return c, nil
}

// open makes the underlying client without dialling.
func open(opt rueidis.ClientOption, cfg RedisConfig, d *dialer) (rueidis.Client, error) {
	opt.DialCtxFn = d.connect
	if opt.Dialer.Timeout == 0 {
		opt.Dialer.Timeout = cfg.DialTimeout
	}
	if opt.ConnWriteTimeout == 0 {
		opt.ConnWriteTimeout = cfg.Timeout
	}
	if opt.ClientName == "" {
		opt.ClientName = "eventpulse"
	}
	opt.ForceSingleClient = true
	opt.DisableCache = true
	// A write whose reply was lost may have been applied; whether to repeat
	// it is not the connection's to decide.
	opt.DisableRetry = true
	// With a reader of its own a connection notices its end at once, and a
	// command on it is given up when its context ends.
	opt.AlwaysPipelining = true
	opt.BlockingPipeline = -1
	client, err := rueidis.NewClient(opt)
	if client == nil {
		return nil, fmt.Errorf("open redis client: %w", err)
	}
	return client, nil
}

// openPipes makes the client that publishes, with connections of its own: what
// else is asked of Redis does not wait behind pipelines, and who publishes
// nothing has none of them.
//
// Redis takes up to 16 KiB from each connection, about 50 events, before it
// writes to its disk. With appendfsync always it syncs each time, so the more
// connections, the more events share a sync: two took 139,000 events/s where
// eight take 208,000, of 306,000 without.
func openPipes(opt rueidis.ClientOption, cfg RedisConfig, d *dialer) (rueidis.Client, error) {
	opt.PipelineMultiplex = pipesLog2
	opt.ReadBufferEachConn, opt.WriteBufferEachConn = pipeBuffer, pipeBuffer
	return open(opt, cfg, d)
}

// Ping asks Redis for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	if _, err := c.do(ctx, c.redis.B().Ping().Build()); err != nil {
		return c.unavailable(opPing, err)
	}
	return nil
}

// Close sends what still waits to be published, for at most
// Config.PublishTimeout, ends every call to Redis and closes the connections.
// Calls after it fail. It takes a few seconds at most when Redis hangs.
func (c *Client) Close() {
	c.mu.Lock()
	already := c.closed
	c.closed = true
	c.mu.Unlock()
	if !already {
		c.queue.close()
		drained := make(chan struct{})
		go func() { c.flushers.Wait(); close(drained) }()
		patience := time.NewTimer(c.cfg.PublishTimeout)
		defer patience.Stop()
		select {
		case <-drained:
		case <-patience.C:
		}
		c.end()
		c.pipes.Close()
		c.redis.Close()
	}
	c.flushers.Wait()
	c.calls.Wait()
}

// do runs one command on a shared connection.
func (c *Client) do(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	replies, err := c.call(ctx, c.redisCfg.Timeout, false, cmd)
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	return replies[0].ToMessage()
}

// sum runs commands that each answer with a number, and returns the sum of
// those that did with the error of the first that did not.
func (c *Client) sum(ctx context.Context, cmds []rueidis.Completed) (total int64, err error) {
	replies, err := c.call(ctx, c.redisCfg.Timeout, false, cmds...)
	for _, reply := range replies {
		n, replyErr := reply.AsInt64()
		total += n
		if err == nil {
			err = replyErr
		}
	}
	return total, err
}

// call runs commands and returns their replies, or an error when ctx ends or
// budget has passed first, whatever the connection is doing: opening it, and
// waiting for others who open it, does not heed a context. A caller that
// leaves does not cut short what others share, unless abort says that the
// connection is the call's own.
func (c *Client) call(ctx context.Context, budget time.Duration, abort bool, cmds ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.RLock()
	if c.closed {
		c.mu.RUnlock()
		return nil, errClosed
	}
	c.calls.Add(1)
	c.mu.RUnlock()

	inner, cancel := context.WithTimeout(c.life, budget)
	done := make(chan []rueidis.RedisResult, 1)
	go func() {
		defer c.calls.Done()
		defer cancel()
		if len(cmds) == 1 {
			done <- []rueidis.RedisResult{c.redis.Do(inner, cmds[0])}
			return
		}
		done <- c.redis.DoMulti(inner, cmds...)
	}()
	select {
	case replies := <-done:
		return replies, nil
	case <-ctx.Done():
		if abort {
			cancel()
		}
		return nil, ctx.Err()
	case <-inner.Done():
	}
	// The call ends now too, unless a connection is being opened; it may
	// also have ended in time.
	select {
	case replies := <-done:
		return replies, nil
	default:
	}
	if c.life.Err() != nil {
		return nil, errClosed
	}
	return nil, inner.Err()
}
