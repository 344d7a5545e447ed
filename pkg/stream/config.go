package stream

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// RedisConfig says where Redis is and how long to wait for it.
type RedisConfig struct {
	URL         string        `config:"url" usage:"where Redis is: redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path/to/redis.sock" secret:"url"`
	DialTimeout time.Duration `config:"dial_timeout" usage:"longest wait for a connection to open, and again for its greeting"`
	Timeout     time.Duration `config:"timeout" usage:"longest wait for a reply; a connection silent for longer is closed"`
	TLS         TLSConfig     `config:"tls"`
}

// The bounds of both time-outs.
const (
	minTimeout = 10 * time.Millisecond
	maxTimeout = time.Minute
)

// DefaultRedisConfig returns a Redis on this machine.
func DefaultRedisConfig() RedisConfig {
	return RedisConfig{
		URL:         "redis://localhost:6379/0",
		DialTimeout: 2 * time.Second,
		Timeout:     2 * time.Second,
	}
}

// Validate names every setting that cannot be worked with. It never repeats
// the URL, which may hold a password, and reads the files that TLS names.
func (c RedisConfig) Validate() error {
	opt, err := parseURL(c.URL)
	if err == nil {
		err = c.TLS.validate(opt)
	}
	errs := []error{err}
	for _, d := range []struct {
		key string
		v   time.Duration
	}{{"dial_timeout", c.DialTimeout}, {"timeout", c.Timeout}} {
		if d.v < minTimeout || d.v > maxTimeout {
			errs = append(errs, fmt.Errorf("redis.%s is %s: must be 10ms to 1m", d.key, d.v))
		}
	}
	return errors.Join(errs...)
}

// Config names the stream and its consumer group, and bounds what may wait to
// be published.
type Config struct {
	Key            string        `config:"key" usage:"Redis key of the stream"`
	Group          string        `config:"group" usage:"consumer group that stores the events"`
	GroupStart     string        `config:"group_start" usage:"where a new group starts: $ is the events from now on, 0 all that the stream holds, or an entry id"`
	PublishTimeout time.Duration `config:"publish_timeout" usage:"longest that a request waits for Redis to take its events"`
	QueueEvents    int           `config:"queue_events" usage:"most events that wait to be sent to Redis; past it requests fail at once"`
	QueueBytes     int           `config:"queue_bytes" usage:"most bytes of events that wait to be sent to Redis; past it requests fail at once"`
}

// DefaultConfig returns the names and bounds that EventPulse runs with when
// nothing else is set.
func DefaultConfig() Config {
	return Config{
		Key:            "events_stream",
		Group:          "event_persister",
		GroupStart:     "$",
		PublishTimeout: time.Second,
		QueueEvents:    50_000,
		QueueBytes:     64 << 20,
	}
}

var entryID = regexp.MustCompile(`^\d{1,20}(-\d{1,20})?$`)

// Validate names every setting that cannot be worked with.
func (c Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("stream."+format, args...)) }
	if c.Key == "" {
		fail("key is empty")
	}
	if _, err := deadLetterKey(c.Key); err != nil {
		fail("key is %q: %w", c.Key, err)
	}
	errs = append(errs, checkGroup(c.Group), checkStart(c.GroupStart))
	if c.PublishTimeout < time.Millisecond || c.PublishTimeout > time.Minute {
		fail("publish_timeout is %s: must be 1ms to 1m", c.PublishTimeout)
	}
	if c.QueueEvents < 1 {
		fail("queue_events is %d: must be at least 1", c.QueueEvents)
	}
	if c.QueueBytes < 1<<10 {
		fail("queue_bytes is %d: must be at least 1024", c.QueueBytes)
	}
	return errors.Join(errs...)
}
