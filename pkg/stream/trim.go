package stream

import "context"

// trimRounds bounds one call of Trim: each round is one step for Redis, and
// removes about ten thousand entries where there are as many.
const trimRounds = 1000

// trimScript removes entries from the front of the stream, up to the oldest
// that a group still needs: the first of those it has pending, or else the
// last it was given. Finding that and trimming is one step, so a group made
// meanwhile is either seen or finds the stream as it is afterwards. Ids are
// compared as text because they are wider than the numbers of a script.
const trimScript = `
local function get(info, name)
  for i = 1, #info, 2 do
    if info[i] == name then return info[i+1] end
  end
end
local function before(a, b)
  local a1, a2 = string.match(a, '(%d+)-(%d+)')
  local b1, b2 = string.match(b, '(%d+)-(%d+)')
  if #a1 ~= #b1 then return #a1 < #b1 end
  if a1 ~= b1 then return a1 < b1 end
  if #a2 ~= #b2 then return #a2 < #b2 end
  return a2 < b2
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local oldest
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local needed = get(info, 'last-delivered-id')
  if get(info, 'pending') > 0 then
    needed = redis.call('XPENDING', KEYS[1], get(info, 'name'))[2]
  end
  if not oldest or before(needed, oldest) then oldest = needed end
end
if not oldest then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', oldest)`

// Trim removes the entries that every group is done with and returns how many
// it removed. Redis frees whole nodes of the stream only, so some stay. A
// stream without a group is left alone, and so is what a group nobody reads
// any more would still get: such a group has to be destroyed by hand.
func (c *Client) Trim(ctx context.Context) (int64, error) {
	var total int64
	for range trimRounds {
		n, err := c.trim(ctx)
		total += n
		c.metrics.trimmed.Add(float64(n))
		if err != nil {
			return total, c.unavailable(opTrim, err)
		}
		if n == 0 {
			break
		}
	}
	return total, nil
}

func (c *Client) trim(ctx context.Context) (int64, error) {
	reply, err := c.do(ctx, c.redis.B().Eval().Script(trimScript).Numkeys(1).Key(c.cfg.Key).Build())
	if err != nil {
		return 0, err
	}
	n, err := reply.AsInt64()
	if err != nil {
		return 0, unexpected("EVAL", err)
	}
	return n, nil
}
