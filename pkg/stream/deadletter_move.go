package stream

import (
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// buryChunk is the most entries moved by one pipeline.
const buryChunk = 100

// buryScript moves one entry. A script ends at the first command that fails,
// so that the entry stays pending unless it is among the dead letters, whether
// memory is short or the key holds something else; a transaction would go on.
// An entry that is not pending was moved before, or will be delivered again.
const buryScript = `
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then return 0 end
local add = {'XADD', KEYS[2], '*'}
for i = 3, #ARGV do add[i + 1] = ARGV[i] end
add[#add + 1], add[#add + 2] = 'dlq_deliveries', pending[1][4]
redis.call(unpack(add))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return 1`

// DeadLetter moves deliveries to the dead letters, each on its own and in one step:
// afterwards it is there and no longer pending, or pending as before. One that
// is not pending any more is left alone, so that burying again after an error,
// when some may have been moved, makes no copies.
func (c *Client) DeadLetter(ctx context.Context, dead []event.Rejection) error {
	for chunk := range slices.Chunk(dead, buryChunk) {
		buried, err := c.bury(ctx, chunk)
		c.metrics.buried.Add(float64(buried))
		if err != nil {
			return c.unavailable(opBury, err)
		}
	}
	return nil
}

func (c *Client) bury(ctx context.Context, dead []event.Rejection) (buried int64, err error) {
	now := time.Now()
	cmds := make([]rueidis.Completed, len(dead))
	for i, d := range dead {
		args := append([]string{c.cfg.Group, d.EntryID}, appendLetter(nil, d, now)...)
		cmds[i] = c.redis.B().Eval().Script(buryScript).Numkeys(2).Key(c.cfg.Key, c.dlqKey).Arg(args...).Build()
	}
	return c.sum(ctx, cmds)
}
