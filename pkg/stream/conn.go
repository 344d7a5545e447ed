package stream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/rueidis"
)

// Conn is the connection to one Redis server.
type Conn struct {
	cfg   RedisConfig
	opt   rueidis.ClientOption
	log   *slog.Logger
	redis rueidis.Client

	// life ends when the connection is closed, and with it every call to
	// Redis.
	life context.Context
	end  context.CancelFunc

	mu      sync.RWMutex
	closed  bool
	calls   sync.WaitGroup
	dialers []*dialer
}

// Open returns a Conn that has not connected yet: Redis may be down, and is
// dialled at the first use and whenever a connection was lost. It must be
// closed.
func Open(cfg RedisConfig, log *slog.Logger) (*Conn, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opt, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if opt.TLSConfig != nil {
		opt.DialCtxFn = cfg.TLS.dial
		if opt.TLSConfig.InsecureSkipVerify {
			log.Warn("the certificate of Redis is not verified: whoever answers at its address is believed", "parameter", "skip_verify")
		}
	}
	// What the URL says about time-outs holds for everything.
	if opt.Dialer.Timeout > 0 {
		cfg.DialTimeout = opt.Dialer.Timeout
	}
	if opt.ConnWriteTimeout > 0 {
		cfg.Timeout = opt.ConnWriteTimeout
	}
	c := &Conn{cfg: cfg, opt: opt, log: log}
	if c.redis, err = c.newClient(nil); err != nil {
		return nil, err
	}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

// newClient makes a client of the library with connections of its own, without
// dialling. change may adapt its options.
func (c *Conn) newClient(change func(*rueidis.ClientOption)) (rueidis.Client, error) {
	opt := c.opt
	d := newDialer(opt.DialCtxFn)
	opt.DialCtxFn = d.connect
	opt.Dialer.Timeout = c.cfg.DialTimeout
	opt.ConnWriteTimeout = c.cfg.Timeout
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
	if change != nil {
		change(&opt)
	}
	client, err := rueidis.NewClient(opt)
	if client == nil {
		return nil, fmt.Errorf("open redis client: %w", err)
	}
	// The library dials once while it makes a client; until here the dialer
	// refuses, so that nothing connects before its first use.
	d.start()
	c.mu.Lock()
	c.dialers = append(c.dialers, d)
	c.mu.Unlock()
	return client, nil
}

// dropConnections closes every connection, so that the next use finds the
// server that the address leads to by now.
func (c *Conn) dropConnections() {
	c.mu.RLock()
	dialers := c.dialers
	c.mu.RUnlock()
	for _, d := range dialers {
		d.drop()
	}
}

// Ping asks Redis for a sign of life (https://redis.io/docs/latest/commands/ping/).
func (c *Conn) Ping(ctx context.Context) error {
	if _, err := c.do(ctx, c.redis.B().Ping().Build()); err != nil {
		return unavailable(opPing, c.address(), err)
	}
	return nil
}

// address is where the server is: host:port or the path of a socket.
func (c *Conn) address() string {
	if len(c.opt.InitAddress) == 0 {
		return ""
	}
	return c.opt.InitAddress[0]
}

// Close ends every call to Redis and closes the connections. Calls after it
// fail. Producers of this connection are closed before it.
func (c *Conn) Close() {
	c.mu.Lock()
	already := c.closed
	c.closed = true
	c.mu.Unlock()
	if !already {
		c.end()
		c.redis.Close()
	}
	c.calls.Wait()
}
