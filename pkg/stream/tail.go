package stream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Tail reads a partition without a group: it takes nothing from those who
// process the entries, and keeps nothing in Redis. It reads on exactly behind
// an entry id, and says when what follows that id is not all there any more.
type Tail struct{ p *Partition }

// NewTail returns a reader of p.
func NewTail(p *Partition) *Tail { return &Tail{p: p} }

// TailPage is what one read returned.
type TailPage struct {
	// Entries are in the order of the stream, whole and undecoded.
	Entries []event.Delivery
	// Next is the id to read behind next: that of the last entry, or that
	// which was read behind where there is none.
	Next string
	// Trimmed says that entries between the id read behind and Next may be
	// gone: the stream was trimmed past that id, or an entry behind it was
	// deleted.
	Trimmed bool
}

// Last returns the id of the newest entry the stream has ever had, "0-0" when
// there was none: to read behind it is to get what comes from now on
// (https://redis.io/docs/latest/commands/xinfo-stream/).
func (t *Tail) Last(ctx context.Context) (string, error) {
	info, err := t.info(ctx)
	if err != nil {
		return "", t.p.failed(opTail, "", err)
	}
	return info.last, nil
}

// Read returns at most limit entries behind the id after, oldest first. Where
// there is none it waits up to block for one; a page without entries is no
// error. "0-0" reads from the oldest entry there is.
func (t *Tail) Read(ctx context.Context, after string, limit int, block time.Duration) (TailPage, error) {
	page, err := t.page(ctx, after, limit)
	if err == nil && len(page.Entries) == 0 && block > 0 {
		if err = t.await(ctx, after, block); err == nil {
			page, err = t.page(ctx, after, limit)
		}
	}
	if err != nil {
		return TailPage{Next: after}, t.p.failed(opTail, "", err)
	}
	return page, nil
}

// page reads what is there, beginning with the entry after itself: while that is
// there nothing behind it was trimmed, which goes from the front
// (https://redis.io/docs/latest/commands/xrange/). What Redis knows of removals
// is asked afterwards, so that none goes unseen.
func (t *Tail) page(ctx context.Context, after string, limit int) (TailPage, error) {
	page := TailPage{Next: after}
	conn := t.p.conn
	reply, err := conn.doAlone(ctx, conn.cfg.Timeout, conn.redis.B().Arbitrary("XRANGE").Keys(t.p.key).
		Args(after, "+", "COUNT", strconv.Itoa(max(limit, 1)+1)).Blocking())
	if err != nil {
		return page, err
	}
	entries, err := parseEntries("XRANGE", reply)
	if err != nil {
		return page, err
	}
	there := len(entries) > 0 && CompareIDs(entries[0].EntryID, after) == 0
	if there {
		entries = entries[1:]
	}
	info, err := t.info(ctx)
	if err != nil {
		return page, err
	}
	page.Trimmed = info.gapBehind(after, there)
	for i := range entries {
		entries[i].Partition = t.p.number
	}
	if n := min(len(entries), max(limit, 1)); n > 0 {
		page.Entries, page.Next = entries[:n], entries[n-1].EntryID
	}
	return page, nil
}

// await returns once there is an entry behind after, or block has passed
// (https://redis.io/docs/latest/commands/xread/). The entry is read again with
// what came with it: between the two commands the stream may be trimmed.
func (t *Tail) await(ctx context.Context, after string, block time.Duration) error {
	conn := t.p.conn
	ms := max(block.Milliseconds(), 1) // zero would be for ever
	_, err := conn.doAlone(ctx, block+readSlack, conn.redis.B().Arbitrary("XREAD", "COUNT", "1", "BLOCK", strconv.FormatInt(ms, 10), "STREAMS").
		Keys(t.p.key).Args(after).Blocking())
	if rueidis.IsRedisNil(err) {
		return nil
	}
	return err
}

// tailInfo is what XINFO STREAM says that matters to a tail.
type tailInfo struct {
	first, last string
	deleted     string // the highest id that was deleted by itself
	removed     bool   // entries were removed, or may have been
}

// gapBehind reports whether entries behind the id after may be gone; there says
// whether its own entry is on the stream.
func (i tailInfo) gapBehind(after string, there bool) bool {
	switch {
	case CompareIDs(after, scanStart) == 0:
		return false // from the oldest there is
	case CompareIDs(i.last, after) < 0:
		return true // another stream than the one that had this entry
	case CompareIDs(i.deleted, after) > 0:
		return true
	default:
		return !there && i.removed && CompareIDs(i.first, after) > 0
	}
}

func (t *Tail) info(ctx context.Context) (tailInfo, error) {
	out := tailInfo{first: scanStart, last: scanStart, deleted: scanStart}
	reply, err := t.p.conn.do(ctx, t.p.conn.redis.B().XinfoStream().Key(t.p.key).Build())
	if noSuchKey(err) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	info, err := reply.AsMap()
	if err != nil {
		return out, unexpected("XINFO STREAM", err)
	}
	length, err := intOf(info, "length")
	if err != nil {
		return out, err
	}
	if out.last, err = textOf(info, "last-generated-id"); err != nil {
		return out, err
	}
	// Of an empty stream all up to the last entry was removed.
	if out.first = out.last; length > 0 {
		entry := info["first-entry"]
		parts, err := entry.ToArray()
		if err != nil || len(parts) == 0 {
			return out, unexpected("XINFO STREAM", err)
		}
		if out.first, err = parts[0].ToString(); err != nil {
			return out, unexpected("XINFO STREAM", err)
		}
	}
	if deleted, err := textOf(info, "max-deleted-entry-id"); err == nil {
		out.deleted = deleted
	}
	added, err := intOf(info, "entries-added")
	out.removed = err != nil || added > length // older servers do not count
	return out, nil
}
