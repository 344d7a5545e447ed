package stream

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/eventpulse/eventpulse/pkg/event"
)

const (
	// heldAfter is how long the same entry must have held up trimming.
	heldAfter = 5 * time.Second
	// passInterval is how often the entries behind it are gone through.
	passInterval = time.Minute
	// maxHeld is the most pending entries that may be there: with more, they
	// are no leftovers.
	maxHeld = 5000
	// pageBytes and pageEntries bound what one step of a pass reads.
	pageBytes   = 1 << 20
	pageEntries = 100
)

// held is what a [Partition] remembers of an entry that holds up trimming.
type held struct {
	mu     sync.Mutex
	oldest string
	since  time.Time
	// after is the entry up to which the pass under way has come; a pass may
	// begin at next.
	after string
	next  time.Time
	page  int
}

// trimBehind removes what every group is done with behind an entry that holds
// up trimming, oldest, and returns how many entries it removed.
//
// An entry that can be neither stored nor dead-lettered, because Redis is out of
// memory, stays pending, and XTRIM removes only what is before it. So nothing
// would free the memory that its dead letter waits for. Entries behind it are
// removed one by one instead (https://redis.io/docs/latest/commands/xdel/):
// Redis frees a node of the stream with the last entry in it. It takes reading
// them, since nothing else tells their ids, and so is done only where the same
// entry has been the oldest for long.
func (p *Partition) trimBehind(ctx context.Context, oldest string) (removed int64, err error) {
	h := &p.held
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.oldest != oldest {
		h.oldest, h.since, h.after, h.next = oldest, now, oldest, now.Add(p.heldAfter)
	}
	if now.Before(h.next) {
		return 0, nil
	}
	horizon, needed, err := p.needed(ctx)
	if err != nil || horizon == "" {
		return 0, err
	}
	for {
		n, done, err := p.trimPage(ctx, h, horizon, needed)
		removed += n
		if err != nil {
			return removed, err
		}
		if done {
			h.after, h.next = oldest, now.Add(passInterval)
			return removed, nil
		}
	}
}

// needed returns how far every group has been delivered to, and which entries
// up to there are pending in any. The horizon is "" where there is none, or
// where so much is pending that it is no leftover.
//
// The order of the two steps matters: what is delivered up to the horizon and
// not acknowledged is pending by the time the pending lists are read, and what
// is acknowledged stays so.
func (p *Partition) needed(ctx context.Context) (horizon string, pending map[string]struct{}, err error) {
	infos, err := p.groupInfos(p.conn.do(ctx, p.conn.redis.B().XinfoGroups().Key(p.key).Build()))
	if err != nil {
		return "", nil, err
	}
	for _, info := range infos {
		last, err := textOf(info, "last-delivered-id")
		if err != nil {
			return "", nil, err
		}
		horizon = earlier(horizon, last)
	}
	pending = map[string]struct{}{}
	for name := range infos {
		start := "-"
		for {
			reply, err := p.conn.do(ctx, p.conn.redis.B().Xpending().Key(p.key).Group(name).Start(start).End(horizon).Count(1000).Build())
			if err != nil {
				return "", nil, err
			}
			entries, err := parsePending(reply)
			if err != nil {
				return "", nil, err
			}
			for _, e := range entries {
				pending[e.id] = struct{}{}
				start = "(" + e.id
			}
			if len(pending) > maxHeld {
				return "", nil, nil
			}
			if len(entries) < 1000 {
				break
			}
		}
	}
	return horizon, pending, nil
}

// trimPage reads entries up to the horizon and removes those that nobody needs.
func (p *Partition) trimPage(ctx context.Context, h *held, horizon string, needed map[string]struct{}) (removed int64, done bool, err error) {
	if h.page == 0 {
		h.page = 1
	}
	reply, err := p.conn.do(ctx, p.conn.redis.B().Arbitrary("XRANGE").Keys(p.key).
		Args("("+h.after, horizon, "COUNT", strconv.Itoa(h.page)).ReadOnly())
	if err != nil {
		h.page = max(1, h.page/2)
		return 0, false, err
	}
	entries, err := parseEntries("XRANGE", reply)
	if err != nil || len(entries) == 0 {
		return 0, true, err
	}
	h.page = nextPage(h.page, entries)
	h.after = entries[len(entries)-1].EntryID
	var ids []string
	for _, e := range entries {
		if _, found := needed[e.EntryID]; !found {
			ids = append(ids, e.EntryID)
		}
	}
	if len(ids) == 0 {
		return 0, false, nil
	}
	deleted, err := p.conn.do(ctx, p.conn.redis.B().Xdel().Key(p.key).Id(ids...).Build())
	if err != nil {
		return 0, false, err
	}
	removed, err = deleted.AsInt64()
	return removed, false, err
}

// nextPage returns how many entries to read after a page of these: twice as many,
// within what the largest of them allows.
func nextPage(page int, entries []event.Delivery) int {
	largest := 1
	for i := range entries {
		largest = max(largest, entries[i].Size())
	}
	return max(1, min(2*page, pageEntries, pageBytes/largest))
}
