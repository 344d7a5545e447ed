package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/test/chaos/env"
	"github.com/eventpulse/eventpulse/test/harness"
)

// redisStateFaults are Redis being up, and unwilling or unable.
func redisStateFaults() []Fault {
	return []Fault{
		{
			Name: "redis-out-of-memory", What: "maxmemory is reached (noeviction)",
			Inject: hold(redisDo("CONFIG", "SET", "maxmemory", "1"), redisDo("CONFIG", "SET", "maxmemory", "0")),
			Expect: unharmed,
		},
		{
			Name: "redis-disk-full", What: "the disk of Redis is full (appendfsync everysec): MISCONF",
			Env: func(c *env.Config) {
				c.RedisDisk = 128 << 20
				c.RedisArgs = append(c.RedisArgs, "--appendfsync", "everysec")
			},
			Inject: hold(fillRedisDisk, func(e *env.Environment) error { return e.RedisDisk.Empty() }),
			Expect: unharmed,
		},
		{
			Name: "redis-disk-full-always", What: "the disk of Redis is full (appendfsync always): Redis ends itself, and is started when there is space",
			Env:    func(c *env.Config) { c.RedisDisk = 128 << 20 },
			Inject: hold(fillRedisDisk, reviveRedis),
			Expect: unharmed,
		},
		{
			Name: "redis-loading", What: "Redis is killed and takes long to load its data: LOADING",
			Env:    func(c *env.Config) { c.RedisArgs = append(c.RedisArgs, "--key-load-delay", "500") },
			Inject: every(2*time.Second, act(steps(manyKeys, killRedis))),
			Expect: unharmed,
		},
		{
			Name: "redis-flushed", What: "FLUSHALL, about every 4 s; what Redis was told to forget is counted apart",
			Inject: every(4*time.Second, flush),
			Expect: unharmed,
		},
		{
			Name: "redis-group-destroyed", What: "XGROUP DESTROY, about every 3 s",
			Inject: every(3*time.Second, act(redisDo("XGROUP", "DESTROY", harness.StreamKey, harness.Group))),
			Expect: unharmed,
		},
		{
			Name: "redis-readonly", What: "Redis has become a replica: READONLY",
			Inject: hold(redisDo("REPLICAOF", "127.0.0.1", "1"), redisDo("REPLICAOF", "NO", "ONE")),
			Expect: unharmed,
		},
		{
			Name: "redis-no-replicas", What: "Redis misses replicas it must have: NOREPLICAS",
			Inject: hold(redisDo("CONFIG", "SET", "min-replicas-to-write", "1"), redisDo("CONFIG", "SET", "min-replicas-to-write", "0")),
			Expect: unharmed,
		},
		{
			Name: "redis-wrong-type", What: "something else stands at the stream's key",
			Inject: hold(
				redisAtOnce([]string{"RENAME", harness.StreamKey, "renamed"}, []string{"SET", harness.StreamKey, "no stream"}),
				redisAtOnce([]string{"DEL", harness.StreamKey}, []string{"RENAME", "renamed", harness.StreamKey})),
			Expect: unharmed,
		},
	}
}

func fillRedisDisk(e *env.Environment) error { return e.RedisDisk.Fill(64 << 10) }

// reviveRedis starts Redis where it has ended by itself.
func reviveRedis(e *env.Environment) error {
	if err := e.RedisDisk.Empty(); err != nil {
		return err
	}
	_ = e.Redis.Kill() // it says that Redis does not run, which it should not
	return e.Redis.Start()
}

// manyKeys gives Redis enough to load for some seconds.
func manyKeys(e *env.Environment) error {
	const keys = 6000
	commands := make([][]string, keys)
	for i := range commands {
		commands[i] = []string{"SET", "ballast:" + strconv.Itoa(i), "x"}
	}
	_, err := harness.Redis(context.Background(), e.Redis.Addr(), commands...)
	return err
}

// flush tells Redis to forget everything, and notes what that was.
func flush(_ context.Context, r *Run) error {
	replies, err := harness.Redis(context.Background(), r.Env.Redis.Addr(),
		[]string{"MULTI"}, []string{"XRANGE", harness.StreamKey, "-", "+"}, []string{"FLUSHALL"}, []string{"EXEC"})
	if err != nil {
		return err
	}
	results, _ := replies[3].([]any)
	if len(results) != 2 {
		return fmt.Errorf("FLUSHALL: %v", replies[3])
	}
	var ids []uuid.UUID
	for _, entry := range harness.Entries(results[0]) {
		text, _ := entry.Fields["event_id"].(string)
		id, err := uuid.Parse(text)
		if err != nil {
			return errors.Join(fmt.Errorf("entry %s has no id", entry.ID), err)
		}
		ids = append(ids, id)
	}
	r.forget(ids)
	return nil
}
