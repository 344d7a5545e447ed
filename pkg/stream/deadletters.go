package stream

import (
	"context"
	"strconv"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// DeadLetterStore is the dead letters of a partition, of all its groups.
type DeadLetterStore struct {
	p *Partition
	// group is the one that letters are for which do not name one.
	group *Group
}

// NewDeadLetters returns the dead letters of the partition that group reads.
// Letters that name no group, as earlier versions wrote them, are taken for
// this group's.
func NewDeadLetters(group *Group) *DeadLetterStore {
	return &DeadLetterStore{p: group.p, group: group}
}

// List returns, in the order in which they were added, at most limit of the
// dead letters after the one with that id: "" for the first page, then the last
// id of the page before, until a page is empty
// (https://redis.io/docs/latest/commands/xrange/).
func (s *DeadLetterStore) List(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	start := "-"
	if after != "" {
		start = "(" + after
	}
	letters, err := s.xrange(ctx, start, "+", limit)
	if err != nil {
		return nil, s.p.failed(opDeadLetters, "", err)
	}
	return letters, nil
}

// Get returns the dead letter with that id; found is false when there is none.
func (s *DeadLetterStore) Get(ctx context.Context, id string) (letter DeadLetter, found bool, err error) {
	if !entryID.MatchString(id) {
		return DeadLetter{}, false, nil
	}
	letters, err := s.xrange(ctx, id, id, 1)
	if err != nil {
		return DeadLetter{}, false, s.p.failed(opDeadLetters, "", err)
	}
	if len(letters) == 0 {
		return DeadLetter{}, false, nil
	}
	return letters[0], true, nil
}

// xrange reads on a connection of its own, because the reply may be large.
func (s *DeadLetterStore) xrange(ctx context.Context, start, end string, limit int) ([]DeadLetter, error) {
	conn := s.p.conn
	reply, err := conn.doAlone(ctx, conn.cfg.Timeout,
		conn.redis.B().Arbitrary("XRANGE").Keys(s.p.dlqKey).Args(start, end, "COUNT", strconv.Itoa(max(limit, 1))).Blocking())
	if err != nil {
		return nil, err
	}
	entries, err := parseEntries("XRANGE", reply)
	if err != nil {
		return nil, err
	}
	letters := make([]DeadLetter, len(entries))
	for i, e := range entries {
		letters[i] = parseDeadLetter(s.p.number, e)
	}
	return letters, nil
}

// Range returns how many dead letters there are and the highest id that any of
// them ever had, "" where there never was one: those that come later have
// higher ids (https://redis.io/docs/latest/commands/xinfo-stream/).
func (s *DeadLetterStore) Range(ctx context.Context) (count int64, last string, err error) {
	reply, err := s.p.conn.do(ctx, s.p.conn.redis.B().XinfoStream().Key(s.p.dlqKey).Build())
	if noSuchKey(err) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", s.p.failed(opDeadLetters, "", err)
	}
	info, err := reply.AsMap()
	if err != nil {
		return 0, "", s.p.failed(opDeadLetters, "", unexpected("XINFO STREAM", err))
	}
	if count, err = intOf(info, "length"); err != nil {
		return 0, "", s.p.failed(opDeadLetters, "", err)
	}
	if last, err = textOf(info, "last-generated-id"); err != nil {
		return 0, "", s.p.failed(opDeadLetters, "", err)
	}
	return count, last, nil
}

// Remove removes dead letters for good and returns how many of those were
// there (https://redis.io/docs/latest/commands/xdel/).
func (s *DeadLetterStore) Remove(ctx context.Context, ids []string) (int64, error) {
	n, err := s.xdel(ctx, ids)
	if err != nil {
		return 0, s.p.failed(opRemove, "", err)
	}
	return n, nil
}

func (s *DeadLetterStore) xdel(ctx context.Context, ids []string) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	reply, err := s.p.conn.do(ctx, s.p.conn.redis.B().Xdel().Key(s.p.dlqKey).Id(ids...).Build())
	if err != nil {
		return 0, err
	}
	n, err := reply.AsInt64()
	if err != nil {
		return 0, unexpected("XDEL", err)
	}
	return n, nil
}

// groupOf is the group that a letter is for.
func (s *DeadLetterStore) groupOf(l event.Rejection) string {
	if l.Group == "" {
		return s.group.name
	}
	return l.Group
}
