package stream

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// do runs one command on a shared connection.
func (c *Conn) do(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	replies, err := c.call(ctx, c.cfg.Timeout, false, cmd)
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	return replies[0].ToMessage()
}

// doAll runs commands as one pipeline on a shared connection.
func (c *Conn) doAll(ctx context.Context, cmds ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	return c.call(ctx, c.cfg.Timeout, false, cmds...)
}

// doAlone runs one command on a connection of its own, because it blocks or
// because its reply may be large. It is given up when ctx ends.
func (c *Conn) doAlone(ctx context.Context, budget time.Duration, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	replies, err := c.call(ctx, budget, true, cmd)
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	return replies[0].ToMessage()
}

// call runs commands and returns their replies, or an error when ctx ends or
// budget has passed first, whatever the connection is doing: opening it, and
// waiting for others who open it, does not heed a context. A caller that
// leaves does not cut short what others share, unless abort says that the
// connection is the call's own.
func (c *Conn) call(ctx context.Context, budget time.Duration, abort bool, cmds ...rueidis.Completed) ([]rueidis.RedisResult, error) {
	return await(ctx, c, budget, abort, func(inner context.Context) []rueidis.RedisResult {
		if len(cmds) == 1 {
			return []rueidis.RedisResult{c.redis.Do(inner, cmds[0])}
		}
		return c.redis.DoMulti(inner, cmds...)
	})
}

// transact runs f with a connection of its own, for WATCH and MULTI. When ctx ends
// or time runs out first, f may still be running: the caller must not touch what
// f writes to unless the error is nil.
func (c *Conn) transact(ctx context.Context, f func(ctx context.Context, conn rueidis.DedicatedClient) error) error {
	err, waited := await(ctx, c, c.cfg.Timeout, true, func(inner context.Context) error {
		return c.redis.Dedicated(func(conn rueidis.DedicatedClient) error { return f(inner, conn) })
	})
	if waited != nil {
		return waited
	}
	return err
}

// await runs f beside its caller and returns what f returns, or an error when
// ctx or the connection ends or budget has passed first.
func await[T any](ctx context.Context, c *Conn, budget time.Duration, abort bool, f func(context.Context) T) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	c.mu.RLock()
	if c.closed {
		c.mu.RUnlock()
		return result, errClosed
	}
	c.calls.Add(1)
	c.mu.RUnlock()

	inner, cancel := context.WithTimeout(c.life, budget)
	done := make(chan T, 1)
	go func() {
		defer c.calls.Done()
		defer cancel()
		done <- f(inner)
	}()
	select {
	case result = <-done:
		return result, nil
	case <-ctx.Done():
		if abort {
			cancel()
		}
		return result, ctx.Err()
	case <-inner.Done():
	}
	// f ends now too, unless a connection is being opened; it may also have
	// ended in time.
	select {
	case result = <-done:
		return result, nil
	default:
	}
	if c.life.Err() != nil {
		return result, errClosed
	}
	return result, inner.Err()
}
