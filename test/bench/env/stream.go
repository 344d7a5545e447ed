package env

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eventpulse/eventpulse/test/bench/sample"
	"github.com/eventpulse/eventpulse/test/harness"
)

// Fill makes the group at the beginning of an empty stream and puts count
// events from number 0 on there.
func (r *Environment) Fill(ctx context.Context, events sample.Maker, count int) error {
	if err := r.MakeGroup(ctx); err != nil {
		return err
	}
	const together = 5000
	for first := 0; first < count; first += together {
		commands := make([][]string, min(together, count-first))
		for i := range commands {
			commands[i] = append([]string{"XADD", harness.StreamKey, "*"}, events.Fields(first+i)...)
		}
		if _, err := harness.Redis(ctx, r.Redis.Addr(), commands...); err != nil {
			return fmt.Errorf("fill the stream: %w", err)
		}
	}
	return nil
}

// MakeGroup makes the group at the beginning of an empty stream.
func (r *Environment) MakeGroup(ctx context.Context) error {
	if _, err := harness.Redis(ctx, r.Redis.Addr(), []string{"XGROUP", "CREATE", harness.StreamKey, harness.Group, "0", "MKSTREAM"}); err != nil {
		return fmt.Errorf("make the group: %w", err)
	}
	return nil
}

// Progress is how far the group has come.
type Progress struct {
	At        time.Time // when Redis was asked
	Delivered string    // the last entry that was handed out
	Last      string    // the last entry of all
	Added     int64     // entries ever added
	Read      int64     // entries ever handed out
	Pending   int64     // entries handed out and not acknowledged
}

// Began reports whether any entry was handed out.
func (p Progress) Began() bool { return p.Delivered != "0-0" }

// Done reports whether all entries are acknowledged.
func (p Progress) Done() bool { return p.Delivered == p.Last && p.Pending == 0 }

// Backlog is how many entries are not acknowledged.
func (p Progress) Backlog() int64 { return p.Added - p.Read + p.Pending }

// Progress looks at the stream and its only group, at little cost to Redis.
func (r *Environment) Progress(ctx context.Context) (Progress, error) {
	p := Progress{At: time.Now()}
	replies, err := harness.Redis(ctx, r.Redis.Addr(), []string{"XINFO", "STREAM", harness.StreamKey}, []string{"XINFO", "GROUPS", harness.StreamKey})
	if err != nil {
		return p, err
	}
	stream := harness.Fields(replies[0])
	groups, _ := replies[1].([]any)
	if len(groups) != 1 {
		return p, fmt.Errorf("the stream has %d groups, not one", len(groups))
	}
	group := harness.Fields(groups[0])
	p.Last, _ = stream["last-generated-id"].(string)
	p.Added, _ = stream["entries-added"].(int64)
	p.Delivered, _ = group["last-delivered-id"].(string)
	p.Pending, _ = group["pending"].(int64)
	if p.Last == "" || p.Delivered == "" {
		return p, errors.New("no word from Redis on how far the group has come: is it older than 7?")
	}
	// It has no count for a group that has read nothing yet.
	read, counted := group["entries-read"].(int64)
	if !counted && p.Began() {
		return p, errors.New("the count of entries read is lost in Redis")
	}
	p.Read = read
	return p, nil
}

// Await looks every so often until the progress is as wished, and returns it.
func (r *Environment) Await(ctx context.Context, often time.Duration, wished func(Progress) bool) (Progress, error) {
	ticker := time.NewTicker(often)
	defer ticker.Stop()
	for {
		p, err := r.Progress(ctx)
		if err != nil || wished(p) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("%d entries are left: %w", p.Backlog(), ctx.Err())
		case <-ticker.C:
		}
	}
}
