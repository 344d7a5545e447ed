package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/eventpulse/eventpulse/test/chaos/stage"
)

// redisStateFaults are Redis being up, and unwilling or unable.
func redisStateFaults() []Fault {
	return []Fault{
		{
			Name: "redis-out-of-memory", What: "maxmemory is reached (noeviction)",
			Harm:   hold(redisDo("CONFIG", "SET", "maxmemory", "1"), redisDo("CONFIG", "SET", "maxmemory", "0")),
			Expect: unharmed,
		},
		{
			Name: "redis-disk-full", What: "the disk of Redis is full (appendfsync everysec): MISCONF",
			Stage: func(c *stage.Config) {
				c.RedisDisk = 128 << 20
				c.RedisArgs = append(c.RedisArgs, "--appendfsync", "everysec")
			},
			Harm:   hold(fillRedisDisk, func(s *stage.Stage) error { return s.RedisDisk.Empty() }),
			Expect: unharmed,
		},
		{
			Name: "redis-disk-full-always", What: "the disk of Redis is full (appendfsync always): Redis ends itself, and is started when there is space",
			Stage:  func(c *stage.Config) { c.RedisDisk = 128 << 20 },
			Harm:   hold(fillRedisDisk, reviveRedis),
			Expect: unharmed,
		},
		{
			Name: "redis-loading", What: "Redis is killed and takes long to load its data: LOADING",
			Stage:  func(c *stage.Config) { c.RedisArgs = append(c.RedisArgs, "--key-load-delay", "500") },
			Harm:   every(2*time.Second, act(steps(manyKeys, killRedis))),
			Expect: unharmed,
		},
		{
			Name: "redis-flushed", What: "FLUSHALL, about every 4 s; what Redis was told to forget is counted apart",
			Harm:   every(4*time.Second, flush),
			Expect: unharmed,
		},
		{
			Name: "redis-group-destroyed", What: "XGROUP DESTROY, about every 3 s",
			Harm:   every(3*time.Second, act(redisDo("XGROUP", "DESTROY", stage.StreamKey, stage.Group))),
			Expect: unharmed,
		},
		{
			Name: "redis-readonly", What: "Redis has become a replica: READONLY",
			Harm:   hold(redisDo("REPLICAOF", "127.0.0.1", "1"), redisDo("REPLICAOF", "NO", "ONE")),
			Expect: unharmed,
		},
		{
			Name: "redis-no-replicas", What: "Redis misses replicas it must have: NOREPLICAS",
			Harm:   hold(redisDo("CONFIG", "SET", "min-replicas-to-write", "1"), redisDo("CONFIG", "SET", "min-replicas-to-write", "0")),
			Expect: unharmed,
		},
		{
			Name: "redis-wrong-type", What: "something else stands at the stream's key",
			Harm: hold(
				redisAtOnce([]string{"RENAME", stage.StreamKey, "set-aside"}, []string{"SET", stage.StreamKey, "no stream"}),
				redisAtOnce([]string{"DEL", stage.StreamKey}, []string{"RENAME", "set-aside", stage.StreamKey})),
			Expect: unharmed,
		},
	}
}

func fillRedisDisk(s *stage.Stage) error { return s.RedisDisk.Fill(64 << 10) }

// reviveRedis starts Redis where it has ended by itself.
func reviveRedis(s *stage.Stage) error {
	if err := s.RedisDisk.Empty(); err != nil {
		return err
	}
	_ = s.Redis.Kill() // it says that Redis does not run, which it should not
	return s.Redis.Start()
}

// manyKeys gives Redis enough to load for some seconds.
func manyKeys(s *stage.Stage) error {
	const keys = 6000
	commands := make([][]string, keys)
	for i := range commands {
		commands[i] = []string{"SET", "ballast:" + strconv.Itoa(i), "x"}
	}
	_, err := stage.Redis(context.Background(), s.Redis.Addr(), commands...)
	return err
}

// flush tells Redis to forget everything, and notes what that was.
func flush(_ context.Context, r *Run) error {
	replies, err := stage.Redis(context.Background(), r.Stage.Redis.Addr(),
		[]string{"MULTI"}, []string{"XRANGE", stage.StreamKey, "-", "+"}, []string{"FLUSHALL"}, []string{"EXEC"})
	if err != nil {
		return err
	}
	results, _ := replies[3].([]any)
	if len(results) != 2 {
		return fmt.Errorf("FLUSHALL: %v", replies[3])
	}
	var ids []uuid.UUID
	for _, entry := range stage.Entries(results[0]) {
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
