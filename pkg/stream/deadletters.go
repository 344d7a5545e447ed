package stream

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// DeadLetters returns, in order of burial, at most limit of the dead letters
// after the one with that id: "" for the first page, then the last id of the
// page before, until a page is empty.
func (c *Client) DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	start := "-"
	if after != "" {
		start = "(" + after
	}
	letters, err := c.letters(ctx, start, "+", limit)
	if err != nil {
		return nil, c.unavailable(opLetters, err)
	}
	return letters, nil
}

// DeadLetterByID returns the dead letter with that id; found is false when there
// is none.
func (c *Client) DeadLetterByID(ctx context.Context, id string) (letter DeadLetter, found bool, err error) {
	if !entryID.MatchString(id) {
		return DeadLetter{}, false, nil
	}
	letters, err := c.letters(ctx, id, id, 1)
	if err != nil {
		return DeadLetter{}, false, c.unavailable(opLetters, err)
	}
	if len(letters) == 0 {
		return DeadLetter{}, false, nil
	}
	return letters[0], true, nil
}

// letters reads on a connection of its own, because the reply may be large.
func (c *Client) letters(ctx context.Context, start, end string, limit int) ([]DeadLetter, error) {
	cmd := c.redis.B().Arbitrary("XRANGE").Keys(c.dlqKey).Args(start, end, "COUNT", strconv.Itoa(max(limit, 1))).Blocking()
	replies, err := c.call(ctx, c.redisCfg.Timeout, true, cmd)
	if err != nil {
		return nil, err
	}
	reply, err := replies[0].ToMessage()
	if err != nil {
		return nil, err
	}
	entries, err := parseEntries("XRANGE", reply)
	if err != nil {
		return nil, err
	}
	letters := make([]DeadLetter, len(entries))
	for i, e := range entries {
		letters[i] = parseLetter(e)
	}
	return letters, nil
}

// RemoveDeadLetters removes dead letters for good and returns how many of
// those were there.
func (c *Client) RemoveDeadLetters(ctx context.Context, ids []string) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	reply, err := c.do(ctx, c.redis.B().Xdel().Key(c.dlqKey).Id(ids...).Build())
	if err != nil {
		return 0, c.unavailable(opDelete, err)
	}
	n, err := reply.AsInt64()
	if err != nil {
		return 0, c.unavailable(opDelete, unexpected("XDEL", err))
	}
	return n, nil
}

// republishScript puts one dead letter back on the stream. As in burying, it
// ends at the first command that fails.
const republishScript = `
if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then return 0 end
local add = {'XADD', KEYS[1], 'NOMKSTREAM', '*'}
for i = 2, #ARGV do add[i + 3] = ARGV[i] end
if not redis.call(unpack(add)) then return redis.error_reply('NOGROUP the stream does not exist') end
redis.call('XDEL', KEYS[2], ARGV[1])
return 1`

// Republish puts dead letters back on the stream with the fields they have
// here, which may have been mended, and takes them from the dead letters, each
// in one step. It returns how many. A letter that is not there any more is
// left alone, so that republishing again makes no copies.
//
// A letter without fields, or with more than a script can pass on, cannot be
// put back: the error is of kind KindInvalid, and nothing was done.
func (c *Client) Republish(ctx context.Context, letters ...DeadLetter) (int64, error) {
	for _, l := range letters {
		if len(l.Fields) == 0 || len(l.Fields)%2 != 0 || len(l.Fields) > maxFields {
			return 0, &event.Error{
				Kind:   event.KindInvalid,
				Detail: fmt.Sprintf("dead letter %s has %d names and values and cannot be put back on the stream", l.ID, len(l.Fields)),
			}
		}
	}
	var total int64
	for chunk := range slices.Chunk(letters, buryChunk) {
		cmds := make([]rueidis.Completed, len(chunk))
		for i, l := range chunk {
			args := append([]string{l.ID}, l.Fields...)
			cmds[i] = c.redis.B().Eval().Script(republishScript).Numkeys(2).Key(c.cfg.Key, c.dlqKey).Arg(args...).Build()
		}
		n, err := c.sum(ctx, cmds)
		total += n
		c.metrics.republished.Add(float64(n))
		if err != nil {
			return total, c.unavailable(opRepublish, err)
		}
	}
	return total, nil
}
