package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/rueidis"

	"github.com/eventpulse/eventpulse/pkg/event"
)

// Replay puts dead letters back on the stream with the fields they have here,
// which may have been mended, and takes them from the dead letters. It returns
// how many. A letter that is not there any more is left alone.
//
// A letter goes back for the group that it was dead-lettered for and for no
// other: where the stream has several groups, a further field names it, and
// the others acknowledge the entry unread. That of a group that does not exist
// stays where it is, with an error: nobody would be given it.
//
// Each letter is put on the stream first and removed afterwards, so that none
// is lost. Where this process or Redis ends in between, it is in both places:
// replaying it again puts it on the stream twice, and the event's id keeps it
// from being stored twice.
//
// A letter without fields, or with half a pair, cannot be put back: the error
// is of kind KindInvalid, and nothing was done.
func (s *DeadLetterStore) Replay(ctx context.Context, letters ...DeadLetter) (int64, error) {
	for _, l := range letters {
		if len(l.Fields) == 0 || len(l.Fields)%2 != 0 {
			return 0, &event.Error{
				Kind:   event.KindInvalid,
				Detail: fmt.Sprintf("dead letter %s has %d names and values and cannot be put back on the stream", l.ID, len(l.Fields)),
			}
		}
	}
	if len(letters) == 0 {
		return 0, nil
	}
	// A group made later might start behind what is put back now.
	if err := s.group.EnsureGroup(ctx); err != nil {
		return 0, err
	}
	var total int64
	for chunk := range slices.Chunk(letters, moveChunk) {
		n, err := s.replay(ctx, chunk)
		total += n
		if err != nil {
			return total, s.p.failed(opReplay, "", err)
		}
	}
	return total, nil
}

func (s *DeadLetterStore) replay(ctx context.Context, letters []DeadLetter) (int64, error) {
	there, err := s.stillThere(ctx, letters)
	if err != nil || len(there) == 0 {
		return 0, err
	}
	groups, err := s.p.groupInfos(s.p.conn.do(ctx, s.p.conn.redis.B().XinfoGroups().Key(s.p.key).Build()))
	if err != nil {
		return 0, err
	}
	cmds := make([]rueidis.Completed, len(there))
	for i, l := range there {
		fields, group := withoutTarget(l.Fields), s.groupOf(l.Rejection)
		if _, exists := groups[group]; !exists {
			return 0, fmt.Errorf("dead letter %s is for the group %q: %w", l.ID, group, errNoGroup)
		}
		if len(groups) > 1 {
			fields = withTarget(fields, group)
		}
		cmds[i] = xadd(s.p.conn.redis, s.p.key, fields)
	}
	replies, err := s.p.conn.doAll(ctx, cmds...)
	if err != nil {
		return 0, err
	}
	var added []string
	for i, reply := range replies {
		replyErr := reply.Error()
		switch {
		case replyErr == nil:
			added = append(added, there[i].ID)
		case err != nil:
		case rueidis.IsRedisNil(replyErr):
			err = errNoStream
		default:
			err = replyErr
		}
	}
	n, removeErr := s.xdel(context.WithoutCancel(ctx), added)
	if err == nil {
		err = removeErr
	}
	return n, err
}

// stillThere returns those of letters that are among the dead letters.
func (s *DeadLetterStore) stillThere(ctx context.Context, letters []DeadLetter) ([]DeadLetter, error) {
	cmds := make([]rueidis.Completed, len(letters))
	for i, l := range letters {
		cmds[i] = s.p.conn.redis.B().Xrange().Key(s.p.dlqKey).Start(l.ID).End(l.ID).Build()
	}
	replies, err := s.p.conn.doAll(ctx, cmds...)
	if err != nil {
		return nil, err
	}
	var there []DeadLetter
	for i, reply := range replies {
		found, err := reply.ToArray()
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			there = append(there, letters[i])
		}
	}
	return there, nil
}
